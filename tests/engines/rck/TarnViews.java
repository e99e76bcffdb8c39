import java.util.UUID;
import org.apache.iceberg.rest.RESTCompatibilityKitViewCatalogTests;
import org.junit.jupiter.api.AfterEach;

/** The kit's tests of views. */
public class TarnViews extends RESTCompatibilityKitViewCatalogTests {
  private final String base = "s3://main/kit/" + UUID.randomUUID();

  @AfterEach
  void removeLeftovers() {
    Leftovers.remove(catalog());
  }

  @Override
  protected String viewLocation(String... names) {
    return base + "/" + String.join("/", names);
  }
}
