package millrace;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.internals.ByteBufferOutputStream;

/** The batches that Java writes. */
final class Cases {
    record Case(String name, byte[] bytes) {}

    private static final long NOW = 1_790_000_000_000L;
    private static final Header[] NO_HEADERS = new Header[0];

    static List<Case> all() {
        List<Case> cases = new ArrayList<>();
        cases.addAll(ofCodec("none", Compression.NONE));
        cases.addAll(ofCodec("gzip", Compression.gzip().build()));
        cases.addAll(ofCodec("snappy", Compression.snappy().build()));
        cases.addAll(ofCodec("lz4", Compression.lz4().build()));
        cases.addAll(ofCodec("zstd", Compression.zstd().build()));
        cases.add(new Case("gzip-level-1", plain(Compression.gzip().level(1).build(), Cases::hundred)));
        cases.add(new Case("gzip-level-9", plain(Compression.gzip().level(9).build(), Cases::hundred)));
        cases.add(new Case("lz4-level-17", plain(Compression.lz4().level(17).build(), Cases::hundred)));
        cases.add(new Case("zstd-level-19", plain(Compression.zstd().level(19).build(), Cases::hundred)));
        cases.add(new Case("zstd-level-minus-5", plain(Compression.zstd().level(-5).build(), Cases::hundred)));
        cases.add(new Case("control-commit", marker(ControlRecordType.COMMIT, 7)));
        cases.add(new Case("control-abort", marker(ControlRecordType.ABORT, 0)));
        cases.add(new Case("control-leader-change", leaderChange()));
        cases.add(new Case("empty-header", emptyHeader()));
        cases.add(new Case("none-delete-horizon", build(Compression.NONE, 42, TimestampType.CREATE_TIME, RecordBatch.NO_TIMESTAMP,
            RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, 3, NOW + 86_400_000L, Cases::few)));
        return cases;
    }

    private static List<Case> ofCodec(String name, Compression compression) {
        List<Case> cases = new ArrayList<>();
        cases.add(new Case(name + "-single", plain(compression, builder -> append(builder, NOW, "k", "v"))));
        cases.add(new Case(name + "-hundred", plain(compression, Cases::hundred)));
        cases.add(new Case(name + "-nulls", plain(compression, Cases::nulls)));
        cases.add(new Case(name + "-headers", plain(compression, Cases::headers)));
        cases.add(new Case(name + "-lengths", plain(compression, Cases::lengths)));
        cases.add(new Case(name + "-deltas", plain(compression, Cases::deltas)));
        cases.add(new Case(name + "-no-timestamp", plain(compression, builder -> append(builder, RecordBatch.NO_TIMESTAMP, "k", "v"))));
        cases.add(new Case(name + "-large", plain(compression, Cases::large)));
        cases.add(new Case(name + "-gaps", plain(compression, Cases::gaps)));
        cases.add(new Case(name + "-log-append-time", build(compression, 9_000_000_000L, TimestampType.LOG_APPEND_TIME, NOW + 5000,
            RecordBatch.NO_PRODUCER_ID, RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, 11, RecordBatch.NO_TIMESTAMP, Cases::few)));
        cases.add(new Case(name + "-idempotent", build(compression, 0, TimestampType.CREATE_TIME, RecordBatch.NO_TIMESTAMP,
            4_611_686_018L, (short) 12, 2_147_483_640, false, RecordBatch.NO_PARTITION_LEADER_EPOCH, RecordBatch.NO_TIMESTAMP, Cases::hundred)));
        cases.add(new Case(name + "-transactional", build(compression, 1L << 40, TimestampType.CREATE_TIME, RecordBatch.NO_TIMESTAMP,
            77, (short) 32767, 0, true, 5, RecordBatch.NO_TIMESTAMP, Cases::few)));
        cases.add(new Case(name + "-two-batches", join(plain(compression, Cases::few), plain(compression, Cases::hundred))));
        return cases;
    }

    private static void few(MemoryRecordsBuilder builder) {
        append(builder, NOW, "a", "first");
        append(builder, NOW + 1, "b", "second");
        append(builder, NOW - 1, "a", "third");
    }

    private static void hundred(MemoryRecordsBuilder builder) {
        for (int i = 0; i < 100; i++) {
            append(builder, NOW + i * 3L, "key-" + i % 7, "{\"id\":" + i + ",\"state\":\"open\",\"note\":\"smörgås 寿司 🚂\"}");
        }
    }

    private static void nulls(MemoryRecordsBuilder builder) {
        builder.append(NOW, (byte[]) null, (byte[]) null, NO_HEADERS);
        builder.append(NOW, new byte[0], new byte[0], NO_HEADERS);
        builder.append(NOW, null, bytes("v"), NO_HEADERS);
        builder.append(NOW, bytes("k"), null, NO_HEADERS);
    }

    private static void headers(MemoryRecordsBuilder builder) {
        builder.append(NOW, bytes("k"), bytes("v"), new Header[] {header("trace", "1"), header("trace", "2"), header("trace", "1")});
        builder.append(NOW, bytes("k"), bytes("v"), new Header[] {header("none", null), header("", ""), header("ключ 🔑", "значение")});
        Header[] many = new Header[200];
        for (int i = 0; i < many.length; i++) many[i] = header("h" + i, i % 3 == 0 ? null : "value of " + i);
        builder.append(NOW, (byte[]) null, (byte[]) null, many);
        builder.append(NOW, bytes("k"), bytes("v"), NO_HEADERS);
    }

    /** Keys and values on both sides of each length at which their varint grows by a byte. */
    private static void lengths(MemoryRecordsBuilder builder) {
        for (int length : new int[] {0, 1, 15, 16, 17, 23, 24, 25, 31, 32, 33, 62, 63, 64, 65, 127, 128, 8191, 8192, 8193}) {
            builder.append(NOW + length, repeat('k', Math.min(length, 130)), repeat('v', length), NO_HEADERS);
        }
    }

    private static void deltas(MemoryRecordsBuilder builder) {
        long base = 1L << 41;
        append(builder, base, "base", "");
        for (int bits = 0; bits < 53; bits++) append(builder, Math.min(base + (1L << bits), (1L << 53) - 1), "+" + bits, "");
        for (int bits = 0; bits < 41; bits++) append(builder, base - (1L << bits), "-" + bits, "");
        append(builder, 0, "zero", "");
        append(builder, RecordBatch.NO_TIMESTAMP, "none", "");
        append(builder, (1L << 53) - 1, "most", "");
    }

    /** More than one block of LZ4 (64 KiB), snappy (32 KiB) and zstd (128 KiB): some of it text, some of it noise. */
    private static void large(MemoryRecordsBuilder builder) {
        byte[] noise = new byte[66_000];
        new Random(7).nextBytes(noise);
        builder.append(NOW, bytes("noise"), noise, NO_HEADERS);
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 12_000; i++) text.append("line ").append(i * 7919 % 1000).append(" of the log\n");
        builder.append(NOW, bytes("text"), bytes(text.toString()), NO_HEADERS);
        builder.append(NOW, bytes("zeros"), new byte[200_000], NO_HEADERS);
    }

    private static void gaps(MemoryRecordsBuilder builder) {
        builder.appendWithOffset(3, NOW, bytes("a"), bytes("1"), NO_HEADERS);
        builder.appendWithOffset(70, NOW, bytes("b"), bytes("2"), NO_HEADERS);
        builder.appendWithOffset(100_000, NOW, bytes("c"), bytes("3"), NO_HEADERS);
        builder.overrideLastOffset(200_000_000);
    }

    private static byte[] plain(Compression compression, Consumer<MemoryRecordsBuilder> fill) {
        return build(compression, 0, TimestampType.CREATE_TIME, RecordBatch.NO_TIMESTAMP, RecordBatch.NO_PRODUCER_ID,
            RecordBatch.NO_PRODUCER_EPOCH, RecordBatch.NO_SEQUENCE, false, RecordBatch.NO_PARTITION_LEADER_EPOCH, RecordBatch.NO_TIMESTAMP, fill);
    }

    private static byte[] build(Compression compression, long baseOffset, TimestampType type, long logAppendTime, long producerId,
            short producerEpoch, int baseSequence, boolean transactional, int leaderEpoch, long deleteHorizon, Consumer<MemoryRecordsBuilder> fill) {
        MemoryRecordsBuilder builder = new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), RecordBatch.MAGIC_VALUE_V2, compression,
            type, baseOffset, logAppendTime, producerId, producerEpoch, baseSequence, transactional, false, leaderEpoch, Integer.MAX_VALUE,
            deleteHorizon);
        fill.accept(builder);
        return copy(builder.build().buffer());
    }

    private static byte[] marker(ControlRecordType type, int coordinatorEpoch) {
        return copy(MemoryRecords.withEndTransactionMarker(500, NOW, 9, 4242, (short) 3, new EndTransactionMarker(type, coordinatorEpoch)).buffer());
    }

    private static byte[] leaderChange() {
        LeaderChangeMessage message = new LeaderChangeMessage().setLeaderId(1);
        return copy(MemoryRecords.withLeaderChangeMessage(10, NOW, 2, ByteBuffer.allocate(512), message).buffer());
    }

    private static byte[] emptyHeader() {
        ByteBuffer buffer = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(buffer, RecordBatch.MAGIC_VALUE_V2, 5, (short) 2, 30, 1000, 1009, 4, TimestampType.CREATE_TIME, NOW, false, false);
        buffer.flip();
        return copy(buffer);
    }

    private static void append(MemoryRecordsBuilder builder, long timestamp, String key, String value) {
        builder.append(timestamp, bytes(key), bytes(value), NO_HEADERS);
    }

    private static Header header(String name, String value) {
        return new RecordHeader(name, value == null ? null : bytes(value));
    }

    private static byte[] repeat(char character, int count) {
        return bytes(String.valueOf(character).repeat(count));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] copy(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return bytes;
    }

    private static byte[] join(byte[] first, byte[] second) {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        joined.writeBytes(first);
        joined.writeBytes(second);
        return joined.toByteArray();
    }

    private Cases() {}
}
