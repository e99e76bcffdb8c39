import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.rest.RESTCatalog;

/** What a test of the kit leaves behind: the kit itself removes no nested namespace and nothing after its last test. */
final class Leftovers {
  private Leftovers() {}

  static void remove(RESTCatalog catalog) {
    catalog.listNamespaces().forEach(namespace -> remove(catalog, namespace));
  }

  private static void remove(RESTCatalog catalog, Namespace namespace) {
    catalog.listNamespaces(namespace).forEach(nested -> remove(catalog, nested));
    catalog.listTables(namespace).forEach(catalog::dropTable);
    catalog.listViews(namespace).forEach(catalog::dropView);
    catalog.dropNamespace(namespace);
  }
}
