package peer;

import java.time.Duration;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.LongAdder;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.*;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.state.*;
import org.rocksdb.*;

public final class Main {
    static final LongAdder done = new LongAdder(), dup = new LongAdder(), bad = new LongAdder();

    static String env(String k, String d) { String v = System.getenv(k); return v == null || v.isEmpty() ? d : v; }

    /** One block cache and write buffer budget for all tasks. */
    public static final class Rocks implements RocksDBConfigSetter {
        static final Cache cache = new LRUCache(Long.parseLong(env("ROCKS_CACHE_MB", "256")) << 20);
        static final WriteBufferManager wbm = new WriteBufferManager(Long.parseLong(env("ROCKS_WB_MB", "256")) << 20, cache);
        static final Filter bloom = new BloomFilter(10, false);
        @Override public void setConfig(String store, Options o, Map<String, Object> c) {
            BlockBasedTableConfig t = (BlockBasedTableConfig) o.tableFormatConfig();
            t.setBlockCache(cache);
            t.setFilterPolicy(bloom);
            t.setCacheIndexAndFilterBlocks(true);
            t.setPinTopLevelIndexAndFilter(true);
            t.setBlockSize(16 << 10);
            o.setTableFormatConfig(t);
            o.setWriteBufferManager(wbm);
            o.setWriteBufferSize(64 << 20);
            o.setMaxWriteBufferNumber(3);
            o.setCompressionType(CompressionType.LZ4_COMPRESSION);
        }
        @Override public void close(String s, Options o) { }
    }

    public static void main(String[] a) throws Exception {
        String prefix = env("TOPIC_PREFIX", "stock."), mode = env("MODE", "line");
        String mut = prefix + "mutations", ord = prefix + "orders", out = env("OUT_TOPIC", prefix + "availability");
        Properties p = new Properties();
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, env("GROUP_ID", "peer"));
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, env("KAFKA_BROKERS", "localhost:9092"));
        p.put(StreamsConfig.STATE_DIR_CONFIG, env("STATE_DIR", "./state"));
        p.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, env("GUARANTEE", "exactly_once_v2"));
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, env("THREADS", "2"));
        p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, env("COMMIT_MS", "100"));
        p.put(StreamsConfig.NUM_STANDBY_REPLICAS_CONFIG, env("STANDBY", "0"));
        p.put(StreamsConfig.ACCEPTABLE_RECOVERY_LAG_CONFIG, env("ACCEPTABLE_LAG", "10000"));
        p.put(StreamsConfig.MAX_TASK_IDLE_MS_CONFIG, "-1"); // the fold does not depend on order between the inputs
        p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, env("CACHE_BYTES", "134217728"));
        p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, env("BUFFERED", "5000"));
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, "1");
        p.put(StreamsConfig.METRICS_RECORDING_LEVEL_CONFIG, "INFO");
        if (!env("ROCKS", "tuned").equals("default")) p.put(StreamsConfig.ROCKSDB_CONFIG_SETTER_CLASS_CONFIG, Rocks.class);
        if (!env("GROUP_PROTOCOL", "").isEmpty()) p.put(StreamsConfig.GROUP_PROTOCOL_CONFIG, env("GROUP_PROTOCOL", ""));
        p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), env("LINGER_MS", "100"));
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), env("BATCH_SIZE", "262144"));
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), "134217728");
        p.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), env("COMPRESSION", "none"));
        if (env("GUARANTEE", "exactly_once_v2").startsWith("exactly"))
            p.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), env("TXN_TIMEOUT_MS", "10000"));
        p.put(StreamsConfig.mainConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), env("MAX_POLL", "5000"));
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.FETCH_MAX_BYTES_CONFIG), "104857600");
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), "4194304");
        p.put(StreamsConfig.restoreConsumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), env("RESTORE_MAX_POLL", "10000"));
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        if (env("GROUP_PROTOCOL", "").isEmpty()) {
            p.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), env("SESSION_MS", "6000"));
            p.put(StreamsConfig.consumerPrefix(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG), "1000");
        }

        StoreBuilder<KeyValueStore<byte[], byte[]>> sb = Stores.keyValueStoreBuilder(
                env("STORE", "rocksdb").equals("memory") ? Stores.inMemoryKeyValueStore("state") : Stores.persistentKeyValueStore("state"),
                Serdes.ByteArray(), Serdes.ByteArray());
        sb = env("CACHING", "true").equals("true") ? sb.withCachingEnabled() : sb.withCachingDisabled();
        sb.withLoggingEnabled(Map.of());
        Topology t = new Topology();
        ByteArrayDeserializer d = new ByteArrayDeserializer();
        t.addSource("in", d, d, mut, ord);
        t.addProcessor("fold", () -> (Processor<byte[], byte[], byte[], byte[]>) (mode.equals("sku") ? new SkuFold(ord) : new LineFold(ord)), "in");
        t.addStateStore(sb, "fold");
        // explicit partition: the output of task p goes to partition p (input key = output key, so the default partitioner agrees)
        t.addSink("out", out, new ByteArraySerializer(), new ByteArraySerializer(), "fold");

        KafkaStreams s = new KafkaStreams(t, p);
        long t0 = System.currentTimeMillis();
        s.setUncaughtExceptionHandler(x -> { say(t0, "error " + x); return StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse.REPLACE_THREAD; });
        LongAdder restored = new LongAdder();
        long[] first = {0};
        s.setGlobalStateRestoreListener(new StateRestoreListener() {
            final Map<TopicPartition, Long> at = new ConcurrentHashMap<>();
            public void onRestoreStart(TopicPartition tp, String st, long from, long to) {
                at.put(tp, System.nanoTime());
                say(t0, "restore start " + tp + " " + from + ".." + to);
            }
            public void onBatchRestored(TopicPartition tp, String st, long end, long n) { restored.add(n); }
            public void onRestoreEnd(TopicPartition tp, String st, long n) {
                say(t0, "restore end " + tp + " records " + n + " ms " + (System.nanoTime() - at.get(tp)) / 1_000_000);
            }
        });
        s.setStateListener((n, o) -> say(t0, "state " + o + " -> " + n + " restored " + restored.sum()));
        CountDownLatch stop = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            long x = System.currentTimeMillis();
            s.close(Duration.ofSeconds(60));
            say(t0, "closed in ms " + (System.currentTimeMillis() - x));
            stop.countDown();
        }));
        s.start();
        if (env("PROGRESS", "").equals("1")) {
            while (true) {
                Thread.sleep(1000);
                say(t0, "done " + done.sum() + " dup " + dup.sum() + " bad " + bad.sum());
            }
        }
        stop.await();
    }

    static void say(long t0, String s) { System.out.println(System.currentTimeMillis() + " +" + (System.currentTimeMillis() - t0) + " " + s); System.out.flush(); }
}
