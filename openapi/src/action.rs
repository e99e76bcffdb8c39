//! What a request wants to do, by the names that policies use.
//!
//! S3 and S3 Tables have AWS's names. What AWS does not have (views, configuration, metrics of tables) has AIStor's
//! names, and so has administration where both servers have the same thing. `sharing:*` and `inventory:*` are Tarn's
//! own and reserved.

/// One list makes the enum, its names and the list of all, so that they cannot differ.
macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal,)+) => {
        /// What a request wants to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "an action is what its name says")]
        pub enum Action {
            $($(#[$doc])* $action,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Action] = &[$(Action::$action,)+];

            /// The name in policies, such as `s3:GetObject`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Action::$action => $name,)+
                }
            }

            /// What it is an action of: what stands before the colon of its name.
            pub const fn family(self) -> Family {
                match self {
                    $(Action::$action => const { Family::of($name) },)+
                }
            }
        }
    };
}

actions! {
    // Objects.
    GetObject = "s3:GetObject",
    GetObjectVersion = "s3:GetObjectVersion",
    GetObjectAttributes = "s3:GetObjectAttributes",
    GetObjectVersionAttributes = "s3:GetObjectVersionAttributes",
    GetObjectAcl = "s3:GetObjectAcl",
    PutObjectAcl = "s3:PutObjectAcl",
    GetObjectTagging = "s3:GetObjectTagging",
    PutObjectTagging = "s3:PutObjectTagging",
    DeleteObjectTagging = "s3:DeleteObjectTagging",
    GetObjectVersionTagging = "s3:GetObjectVersionTagging",
    PutObjectVersionTagging = "s3:PutObjectVersionTagging",
    DeleteObjectVersionTagging = "s3:DeleteObjectVersionTagging",
    GetObjectRetention = "s3:GetObjectRetention",
    PutObjectRetention = "s3:PutObjectRetention",
    GetObjectLegalHold = "s3:GetObjectLegalHold",
    PutObjectLegalHold = "s3:PutObjectLegalHold",
    BypassGovernanceRetention = "s3:BypassGovernanceRetention",
    PutObject = "s3:PutObject",
    DeleteObject = "s3:DeleteObject",
    DeleteObjectVersion = "s3:DeleteObjectVersion",
    RestoreObject = "s3:RestoreObject",
    AbortMultipartUpload = "s3:AbortMultipartUpload",
    ListMultipartUploadParts = "s3:ListMultipartUploadParts",
    // Buckets.
    ListAllMyBuckets = "s3:ListAllMyBuckets",
    CreateBucket = "s3:CreateBucket",
    DeleteBucket = "s3:DeleteBucket",
    ListBucket = "s3:ListBucket",
    ListBucketVersions = "s3:ListBucketVersions",
    ListBucketMultipartUploads = "s3:ListBucketMultipartUploads",
    GetAccelerateConfiguration = "s3:GetAccelerateConfiguration",
    PutAccelerateConfiguration = "s3:PutAccelerateConfiguration",
    GetAnalyticsConfiguration = "s3:GetAnalyticsConfiguration",
    PutAnalyticsConfiguration = "s3:PutAnalyticsConfiguration",
    GetBucketAcl = "s3:GetBucketAcl",
    PutBucketAcl = "s3:PutBucketAcl",
    GetBucketCors = "s3:GetBucketCORS",
    PutBucketCors = "s3:PutBucketCORS",
    GetBucketLocation = "s3:GetBucketLocation",
    GetBucketLogging = "s3:GetBucketLogging",
    PutBucketLogging = "s3:PutBucketLogging",
    GetBucketNotification = "s3:GetBucketNotification",
    PutBucketNotification = "s3:PutBucketNotification",
    GetBucketObjectLockConfiguration = "s3:GetBucketObjectLockConfiguration",
    PutBucketObjectLockConfiguration = "s3:PutBucketObjectLockConfiguration",
    GetBucketOwnershipControls = "s3:GetBucketOwnershipControls",
    PutBucketOwnershipControls = "s3:PutBucketOwnershipControls",
    GetBucketPolicy = "s3:GetBucketPolicy",
    PutBucketPolicy = "s3:PutBucketPolicy",
    DeleteBucketPolicy = "s3:DeleteBucketPolicy",
    GetBucketPolicyStatus = "s3:GetBucketPolicyStatus",
    GetBucketPublicAccessBlock = "s3:GetBucketPublicAccessBlock",
    PutBucketPublicAccessBlock = "s3:PutBucketPublicAccessBlock",
    GetBucketRequestPayment = "s3:GetBucketRequestPayment",
    PutBucketRequestPayment = "s3:PutBucketRequestPayment",
    GetBucketTagging = "s3:GetBucketTagging",
    PutBucketTagging = "s3:PutBucketTagging",
    GetBucketVersioning = "s3:GetBucketVersioning",
    PutBucketVersioning = "s3:PutBucketVersioning",
    GetBucketWebsite = "s3:GetBucketWebsite",
    DeleteBucketWebsite = "s3:DeleteBucketWebsite",
    GetEncryptionConfiguration = "s3:GetEncryptionConfiguration",
    PutEncryptionConfiguration = "s3:PutEncryptionConfiguration",
    GetIntelligentTieringConfiguration = "s3:GetIntelligentTieringConfiguration",
    PutIntelligentTieringConfiguration = "s3:PutIntelligentTieringConfiguration",
    GetInventoryConfiguration = "s3:GetInventoryConfiguration",
    PutInventoryConfiguration = "s3:PutInventoryConfiguration",
    CreateBucketMetadataTableConfiguration = "s3:CreateBucketMetadataTableConfiguration",
    GetBucketMetadataTableConfiguration = "s3:GetBucketMetadataTableConfiguration",
    DeleteBucketMetadataTableConfiguration = "s3:DeleteBucketMetadataTableConfiguration",
    UpdateBucketMetadataJournalTableConfiguration = "s3:UpdateBucketMetadataJournalTableConfiguration",
    UpdateBucketMetadataInventoryTableConfiguration = "s3:UpdateBucketMetadataInventoryTableConfiguration",
    GetLifecycleConfiguration = "s3:GetLifecycleConfiguration",
    PutLifecycleConfiguration = "s3:PutLifecycleConfiguration",
    GetMetricsConfiguration = "s3:GetMetricsConfiguration",
    PutMetricsConfiguration = "s3:PutMetricsConfiguration",
    GetReplicationConfiguration = "s3:GetReplicationConfiguration",
    PutReplicationConfiguration = "s3:PutReplicationConfiguration",
    // The catalog. A warehouse is a table bucket.
    GetConfig = "s3tables:GetConfig",
    CreateTableBucket = "s3tables:CreateTableBucket",
    GetTableBucket = "s3tables:GetTableBucket",
    ListTableBuckets = "s3tables:ListTableBuckets",
    DeleteTableBucket = "s3tables:DeleteTableBucket",
    CreateNamespace = "s3tables:CreateNamespace",
    GetNamespace = "s3tables:GetNamespace",
    ListNamespaces = "s3tables:ListNamespaces",
    UpdateNamespaceProperties = "s3tables:UpdateNamespaceProperties",
    DeleteNamespace = "s3tables:DeleteNamespace",
    CreateTable = "s3tables:CreateTable",
    RegisterTable = "s3tables:RegisterTable",
    /// Learn that a table exists.
    GetTable = "s3tables:GetTable",
    ListTables = "s3tables:ListTables",
    RenameTable = "s3tables:RenameTable",
    DeleteTable = "s3tables:DeleteTable",
    /// Load a table.
    GetTableMetadataLocation = "s3tables:GetTableMetadataLocation",
    /// Commit to a table.
    UpdateTableMetadataLocation = "s3tables:UpdateTableMetadataLocation",
    /// Read the files of a table: what credentials made for it may do.
    GetTableData = "s3tables:GetTableData",
    /// Write the files of a table: what credentials made for it may do.
    PutTableData = "s3tables:PutTableData",
    TableMetrics = "s3tables:TableMetrics",
    GetTableMaintenanceConfiguration = "s3tables:GetTableMaintenanceConfiguration",
    PutTableMaintenanceConfiguration = "s3tables:PutTableMaintenanceConfiguration",
    GetTableMaintenanceJobStatus = "s3tables:GetTableMaintenanceJobStatus",
    CreateView = "s3tables:CreateView",
    RegisterView = "s3tables:RegisterView",
    GetView = "s3tables:GetView",
    ListViews = "s3tables:ListViews",
    UpdateView = "s3tables:UpdateView",
    RenameView = "s3tables:RenameView",
    DeleteView = "s3tables:DeleteView",
    ListFunctions = "s3tables:ListFunctions",
    GetFunction = "s3tables:GetFunction",
    // Administration.
    ServerInfo = "admin:ServerInfo",
    StorageInfo = "admin:StorageInfo",
    Heal = "admin:Heal",
    Prometheus = "admin:Prometheus",
    CreateUser = "admin:CreateUser",
    DeleteUser = "admin:DeleteUser",
    GetUser = "admin:GetUser",
    ListUsers = "admin:ListUsers",
    EnableUser = "admin:EnableUser",
    DisableUser = "admin:DisableUser",
    AddUserToGroup = "admin:AddUserToGroup",
    RemoveUserFromGroup = "admin:RemoveUserFromGroup",
    GetGroup = "admin:GetGroup",
    ListGroups = "admin:ListGroups",
    EnableGroup = "admin:EnableGroup",
    DisableGroup = "admin:DisableGroup",
    CreatePolicy = "admin:CreatePolicy",
    DeletePolicy = "admin:DeletePolicy",
    GetPolicy = "admin:GetPolicy",
    ListUserPolicies = "admin:ListUserPolicies",
    /// Ask why somebody may do something or not.
    SimulatePrincipalPolicy = "admin:SimulatePrincipalPolicy",
    AttachUserOrGroupPolicy = "admin:AttachUserOrGroupPolicy",
    UpdatePolicyAssociation = "admin:UpdatePolicyAssociation",
    CreateServiceAccount = "admin:CreateServiceAccount",
    UpdateServiceAccount = "admin:UpdateServiceAccount",
    RemoveServiceAccount = "admin:RemoveServiceAccount",
    ListServiceAccounts = "admin:ListServiceAccounts",
    /// Keys with a grant of their own.
    CreateAccessKey = "admin:CreateAccessKey",
    DeleteAccessKey = "admin:DeleteAccessKey",
    ListAccessKeys = "admin:ListAccessKeys",
    /// User-defined functions, which the catalog only shows.
    AdminPutFunction = "admin:PutFunction",
    AdminDeleteFunction = "admin:DeleteFunction",
    AdminGetFunction = "admin:GetFunction",
    AdminListFunctions = "admin:ListFunctions",
    /// Drops that override protection, dropped tables, settings of warehouses.
    AdminDropTable = "admin:DropTable",
    AdminDropNamespace = "admin:DropNamespace",
    AdminListDroppedTables = "admin:ListDroppedTables",
    AdminUndropTable = "admin:UndropTable",
    AdminRemoveDroppedTable = "admin:RemoveDroppedTable",
    AdminUpdateWarehouse = "admin:UpdateWarehouse",
    /// Change events.
    AdminStreamEvents = "admin:StreamEvents",
    AdminPutWebhook = "admin:PutWebhook",
    AdminDeleteWebhook = "admin:DeleteWebhook",
    AdminGetWebhook = "admin:GetWebhook",
    AdminListWebhooks = "admin:ListWebhooks",
    AdminTestWebhook = "admin:TestWebhook",
    /// The catalog's log, and what was dropped, in views of the past.
    AdminReadHistory = "admin:ReadHistory",
    AdminRollbackTables = "admin:RollbackTables",
    // Temporary credentials.
    AssumeRole = "sts:AssumeRole",
    AssumeRoleWithWebIdentity = "sts:AssumeRoleWithWebIdentity",
    GetSessionToken = "sts:GetSessionToken",
    GetCallerIdentity = "sts:GetCallerIdentity",
    // Keys of encryption.
    KmsCreateKey = "kms:CreateKey",
    KmsListKeys = "kms:ListKeys",
    KmsKeyStatus = "kms:KeyStatus",
    KmsStatus = "kms:Status",
    // Delta Sharing.
    SharingCreateShare = "sharing:CreateShare",
    SharingGetShare = "sharing:GetShare",
    SharingListShares = "sharing:ListShares",
    SharingUpdateShare = "sharing:UpdateShare",
    SharingDeleteShare = "sharing:DeleteShare",
    SharingCreateRecipient = "sharing:CreateRecipient",
    SharingGetRecipient = "sharing:GetRecipient",
    SharingListRecipients = "sharing:ListRecipients",
    SharingUpdateRecipient = "sharing:UpdateRecipient",
    SharingDeleteRecipient = "sharing:DeleteRecipient",
    /// Let a recipient read a share.
    SharingCreateGrant = "sharing:CreateGrant",
    SharingDeleteGrant = "sharing:DeleteGrant",
    /// Make what a recipient shows: tokens, activation links, secrets of clients, federation policies.
    SharingCreateToken = "sharing:CreateToken",
    SharingListTokens = "sharing:ListTokens",
    SharingDeleteToken = "sharing:DeleteToken",
    /// Sign tokens with a new key.
    SharingRotateKey = "sharing:RotateKey",
    /// Tokens of a share, as AIStor has them: one is a recipient and its grant too.
    DeltaSharingCreateToken = "admin:DeltaSharingCreateToken",
    DeltaSharingListTokens = "admin:DeltaSharingListTokens",
    DeltaSharingDeleteToken = "admin:DeltaSharingDeleteToken",
    // Inventory and jobs.
    InventoryPutJob = "inventory:PutJob",
    InventoryGetJob = "inventory:GetJob",
    InventoryListJobs = "inventory:ListJobs",
    InventoryDeleteJob = "inventory:DeleteJob",
    InventoryStartJob = "inventory:StartJob",
    InventoryCancelJob = "inventory:CancelJob",
    InventoryQuery = "inventory:Query",
}

/// What actions are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// `s3`: buckets and objects.
    S3,
    /// `s3tables`: the catalog.
    S3Tables,
    /// `admin`: administration.
    Admin,
    /// `sts`: temporary credentials.
    Sts,
    /// `kms`: keys of encryption.
    Kms,
    /// `sharing`: Delta Sharing.
    Sharing,
    /// `inventory`: inventory and jobs.
    Inventory,
}

impl Family {
    /// Every family.
    pub const ALL: &'static [Family] =
        &[Self::S3, Self::S3Tables, Self::Admin, Self::Sts, Self::Kms, Self::Sharing, Self::Inventory];

    /// What names of its actions begin with, without the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::S3Tables => "s3tables",
            Self::Admin => "admin",
            Self::Sts => "sts",
            Self::Kms => "kms",
            Self::Sharing => "sharing",
            Self::Inventory => "inventory",
        }
    }

    /// The family of an action's name. Asked while this is compiled: a name of no family does not compile.
    const fn of(action: &str) -> Self {
        let mut at = 0;
        while at < Self::ALL.len() {
            if begins(action.as_bytes(), Self::ALL[at].name().as_bytes()) {
                return Self::ALL[at];
            }
            at += 1;
        }
        panic!("the name of an action begins with its family and a colon")
    }
}

/// Whether a name begins with this and a colon.
const fn begins(name: &[u8], family: &[u8]) -> bool {
    if name.len() <= family.len() || name[family.len()] != b':' {
        return false;
    }
    let mut at = 0;
    while at < family.len() {
        if name[at] != family[at] {
            return false;
        }
        at += 1;
    }
    true
}

impl Action {
    /// The second name of an action: AIStor says warehouse where AWS says table bucket, and has its own of shares.
    ///
    /// Not matched variant by variant: a new action has one name unless it is listed here.
    pub const fn second_name(self) -> Option<&'static str> {
        match self {
            Action::CreateTableBucket => Some("s3tables:CreateWarehouse"),
            Action::GetTableBucket => Some("s3tables:GetWarehouse"),
            Action::ListTableBuckets => Some("s3tables:ListWarehouses"),
            Action::DeleteTableBucket => Some("s3tables:DeleteWarehouse"),
            Action::SharingCreateShare => Some("admin:DeltaSharingCreateShare"),
            Action::SharingGetShare => Some("admin:DeltaSharingGetShare"),
            Action::SharingListShares => Some("admin:DeltaSharingListShares"),
            Action::SharingUpdateShare => Some("admin:DeltaSharingUpdateShare"),
            Action::SharingDeleteShare => Some("admin:DeltaSharingDeleteShare"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_action_has_a_name_of_its_own_in_its_family() {
        let firsts = Action::ALL.iter().map(|action| (action.name(), action.family()));
        // A second name is the one another server has for it, in whatever family it has it there.
        let seconds: Vec<&str> = Action::ALL.iter().filter_map(|action| action.second_name()).collect();
        let names: BTreeMap<&str, Family> =
            firsts.chain(seconds.iter().map(|name| (*name, Family::of(name)))).collect();
        assert_eq!(names.len(), Action::ALL.len() + seconds.len());
        for (name, family) in names {
            let (before, verb) = name.split_once(':').unwrap();
            assert_eq!(before, family.name(), "{name}");
            assert!(verb.starts_with(|first: char| first.is_ascii_uppercase()), "{name}");
        }
    }
}
