import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.util.List;

/**
 * A server that speaks MongoDB's protocol, keeps everything in memory and carries out each command
 * under a lock, for tests of races.
 *
 * <p>{@code java -jar mongo-java-server.jar [PORT]} listens on 127.0.0.1, on a free port unless one is
 * named, prints its URI as the first and only line of standard output, and ends on SIGTERM or SIGINT.
 * Nothing outlives it. It knows no sessions, transactions, pipeline updates or change streams.
 */
final class Main {
    public static void main(String[] arguments) {
        int port = arguments.length == 0 ? 0 : Integer.parseInt(arguments[0]);
        var server = new MongoServer(new MemoryBackend().version(new Version()));
        server.bind("127.0.0.1", port);
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        System.out.println("mongodb://127.0.0.1:" + server.getLocalAddress().getPort() + "/");
    }

    /** Drivers of today refuse the wire version that the library announces by itself, which is 8. */
    private static final class Version implements MongoVersion {
        @Override
        public List<Integer> getVersionArray() {
            return List.of(6, 0, 0);
        }

        @Override
        public int getWireVersion() {
            return 17;
        }
    }
}
