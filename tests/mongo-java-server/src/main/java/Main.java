import de.bwaldvogel.mongo.MongoBackend;
import de.bwaldvogel.mongo.MongoCollection;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CursorRegistry;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.oplog.CollectionBackedOplog;
import de.bwaldvogel.mongo.oplog.Oplog;
import java.util.List;

/**
 * A server that speaks MongoDB's protocol, keeps everything in memory and carries out each command
 * under a lock, for tests of races.
 *
 * <p>{@code java -jar mongo-java-server.jar [PORT]} listens on 127.0.0.1, on a free port unless one is
 * named, prints its URI as the first and only line of standard output, and ends on SIGTERM or SIGINT.
 * Nothing outlives it. It has change streams of a collection, whose questions it answers at once
 * instead of waiting for something to tell. It knows no sessions, transactions or pipeline updates.
 */
final class Main {
    public static void main(String[] arguments) {
        int port = arguments.length == 0 ? 0 : Integer.parseInt(arguments[0]);
        var backend = new Backend();
        backend.version(new Version());
        backend.enableOplog();
        var server = new MongoServer(backend);
        server.bind("127.0.0.1", port);
        Runtime.getRuntime().addShutdownHook(new Thread(server::shutdownNow));
        System.out.println("mongodb://127.0.0.1:" + server.getLocalAddress().getPort() + "/");
    }

    /** With an oplog of ours. */
    private static final class Backend extends MemoryBackend {
        @Override
        @SuppressWarnings("unchecked") // As the library does: it looks at documents alone.
        protected Oplog createOplog() {
            var collection = resolveDatabase("local").createCollectionOrThrowIfExists("oplog.rs");
            return new KeyedOplog(this, (MongoCollection<Document>) collection, getCursorRegistry());
        }
    }

    /**
     * The library gives the update itself as the {@code documentKey} of an update's event. With the key
     * beside the operators in it, the event has what MongoDB's has, and more.
     */
    private static final class KeyedOplog extends CollectionBackedOplog {
        KeyedOplog(MongoBackend backend, MongoCollection<Document> collection, CursorRegistry cursors) {
            super(backend, collection, cursors);
        }

        @Override
        public void handleUpdate(String namespace, Document selector, Document query, List<Object> ids) {
            for (Object id : ids) {
                var keyed = query.clone().append("_id", id);
                super.handleUpdate(namespace, selector, keyed, List.of(id));
            }
        }
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
