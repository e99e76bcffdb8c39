//! What can happen, by the names that events and filters use.

/// One list makes the enum, its names and the list of all, so that they cannot differ.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum EventKind {
            $($(#[$doc])* $kind,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$kind,)+];

            /// The `type` of the event.
            pub const fn name(self) -> &'static str {
                match self {
                    $(EventKind::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// A warehouse is there that was not.
    WarehouseCreated = "tarn.warehouse.created",
    /// A warehouse has other properties.
    WarehouseUpdated = "tarn.warehouse.updated",
    /// A warehouse is gone.
    WarehouseDropped = "tarn.warehouse.dropped",
    /// A namespace is there that was not.
    NamespaceCreated = "tarn.namespace.created",
    /// A namespace has other properties.
    NamespaceUpdated = "tarn.namespace.updated",
    /// A namespace is gone.
    NamespaceDropped = "tarn.namespace.dropped",
    /// A table is there that was not.
    TableCreated = "tarn.table.created",
    /// A client committed to a table.
    TableUpdated = "tarn.table.updated",
    /// Maintenance of the server committed to a table.
    TableMaintained = "tarn.table.maintained",
    /// A table is there, or another one under its name, whose metadata file was there already.
    TableRegistered = "tarn.table.registered",
    /// A table is gone from this catalog and goes on in another.
    TableUnregistered = "tarn.table.unregistered",
    /// A table has another name.
    TableRenamed = "tarn.table.renamed",
    /// A table is gone; maybe it is kept to be undropped.
    TableDropped = "tarn.table.dropped",
    /// A dropped table is there again.
    TableUndropped = "tarn.table.undropped",
    /// A dropped table is kept no more.
    TableForgotten = "tarn.table.forgotten",
    /// The files of a dropped table are being deleted from now on.
    TablePurged = "tarn.table.purged",
    /// A view is there that was not.
    ViewCreated = "tarn.view.created",
    /// A view has another version or other properties.
    ViewUpdated = "tarn.view.updated",
    /// A view is there whose metadata file was there already.
    ViewRegistered = "tarn.view.registered",
    /// A view has another name.
    ViewRenamed = "tarn.view.renamed",
    /// A view is gone.
    ViewDropped = "tarn.view.dropped",
    /// A function is there, or another one under its name.
    FunctionPut = "tarn.function.put",
    /// A function is gone.
    FunctionDeleted = "tarn.function.deleted",
    /// A document of the server was put, such as a policy.
    DocumentPut = "tarn.document.put",
    /// A document of the server is gone.
    DocumentDeleted = "tarn.document.deleted",
}

impl EventKind {
    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}
