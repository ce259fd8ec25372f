package peer;

import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.module.blackbird.BlackbirdModule;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The reference work (tests/bench/engine/work.py) in Kafka Streams' Processor API: a persistent store with cache and changelog.
 *
 * <p>One thread, as every other system here, or two where told so. Tuned: Jackson with Blackbird decodes only the four fields that are needed; the state is packed by hand
 * (msgpack, the bytes of the Python ones); keys and values of the topics stay bytes; fetches of 4 MiB, 4,000 records a poll, batches of 256 KiB.
 * The intervals of commit stay as shipped (100 ms exactly once, 30 s at least once); when the last interaction is done every thread is
 * asked for a commit within 100 ms, so that the end is not 30 s late.
 */
public final class ReferenceWork {
    private static final ObjectMapper JSON = new ObjectMapper().registerModule(new BlackbirdModule());
    private static final int OUTPUT_EVERY = 10;
    private static final String STORE = "customers";

    /** What this process is told (tests/bench/engine/task.py). */
    record Task(
            String bootstrap, String run, String input, String outputs, long events, String directory, String marks, Map<String, String> options) {}

    /** What the work needs of an interaction. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    static final class Interaction {
        public String messageId;
        public String timestamp;
        public String channel;
        public String event;
    }

    /** Folds one after the other; every tenth of a customer is said. */
    static final class Fold implements Processor<byte[], byte[], byte[], byte[]> {
        private final ObjectReader reader = JSON.readerFor(Interaction.class);
        private final Task task;
        private final AtomicLong seen;
        private ProcessorContext<byte[], byte[]> context;
        private KeyValueStore<byte[], State> store;

        Fold(Task task, AtomicLong seen) {
            this.task = task;
            this.seen = seen;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            this.store = context.getStateStore(STORE);
            context.schedule(Duration.ofMillis(100), PunctuationType.WALL_CLOCK_TIME, now -> {
                if (seen.get() >= task.events()) {
                    context.commit();
                }
            });
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            long number = seen.incrementAndGet();
            if (number == 1) {
                mark(task, "began");
            }
            Interaction interaction;
            try {
                interaction = reader.readValue(record.value());
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
            State state = store.get(record.key());
            if (state == null) {
                state = new State(interaction.timestamp);
            }
            state.add(interaction.messageId, interaction.event, interaction.timestamp, interaction.channel);
            store.put(record.key(), state);
            if (state.n % OUTPUT_EVERY == 0) {
                String said = "{\"stage\":" + state.n + ",\"messageId\":\"" + interaction.messageId + "\"}";
                context.forward(record.withValue(said.getBytes(StandardCharsets.UTF_8)));
            }
        }
    }

    private static void mark(Task task, String what) {
        try {
            double now = System.currentTimeMillis() / 1e3;
            Files.writeString(Path.of(task.marks()), what + " " + now + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Properties settings(Task task) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, task.run());
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, task.bootstrap());
        settings.put(StreamsConfig.STATE_DIR_CONFIG, task.directory());
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, task.options().get("guarantee"));
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Integer.parseInt(task.options().getOrDefault("threads", "1")));
        if (task.options().containsKey("cache_bytes")) {
            settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, task.options().get("cache_bytes"));
        }
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 4000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        return settings;
    }

    private static Topology topology(Task task) {
        AtomicLong seen = new AtomicLong();
        Topology topology = new Topology();
        topology.addSource("read", Serdes.ByteArray().deserializer(), Serdes.ByteArray().deserializer(), task.input());
        topology.addProcessor("fold", () -> new Fold(task, seen), "read");
        topology.addStateStore(
                Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(STORE), Serdes.ByteArray(), State.serde())
                        .withCachingEnabled()
                        .withLoggingEnabled(Map.of()),
                "fold");
        topology.addSink("write", task.outputs(), Serdes.ByteArray().serializer(), Serdes.ByteArray().serializer(), "fold");
        return topology;
    }

    /** Runs until told to stop. */
    public static void main(String[] arguments) throws IOException {
        Task task = JSON.readValue(System.getenv("BENCH_TASK"), Task.class);
        KafkaStreams streams = new KafkaStreams(topology(task), settings(task));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
