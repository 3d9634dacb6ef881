package millrace;

import java.nio.ByteBuffer;
import org.apache.kafka.common.record.internal.MemoryRecords;

/** Record batches, which only APIs carry: apart, because the class has another place in the release of the server's jars. */
final class RecordBytes {
    private RecordBytes() {}

    static Object wrap(byte[] bytes) {
        return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes));
    }

    static ByteBuffer unwrap(Object records) {
        return ((MemoryRecords) records).buffer();
    }
}
