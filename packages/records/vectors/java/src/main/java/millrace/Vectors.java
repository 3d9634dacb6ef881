package millrace;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;

/**
 * Record batches as text, one item a line, so that both sides can read them without a JSON library:
 *
 *   case NAME BASE64               the bytes of one or more batches
 *   batch FIELD...                 what Java reads in the header of each
 *   record FIELD...                what Java reads in each record of that batch
 *
 * `write` makes the cases of Cases with Java's own builder and prints them. `verify` reads such text from standard input, reads
 * the bytes again with Kafka's own classes, and compares with the lines that follow them.
 */
public final class Vectors {
    public static void main(String[] arguments) throws IOException {
        if (arguments.length == 1 && arguments[0].equals("write")) {
            write(System.out);
        } else if (arguments.length == 1 && arguments[0].equals("verify")) {
            verify(new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII)));
        } else {
            System.err.println("usage: Vectors write|verify");
            System.exit(2);
        }
    }

    private static void write(OutputStream target) throws IOException {
        PrintStream out = new PrintStream(target, false, StandardCharsets.US_ASCII);
        for (Cases.Case one : Cases.all()) {
            out.print("case " + one.name() + " " + Base64.getEncoder().encodeToString(one.bytes()) + "\n");
            for (String line : describe(one.bytes())) out.print(line + "\n");
        }
        out.flush();
    }

    private static void verify(BufferedReader in) throws IOException {
        int cases = 0;
        int failures = 0;
        String line = in.readLine();
        while (line != null) {
            String[] head = line.split(" ");
            if (!head[0].equals("case")) throw new IOException("expected a case: " + line);
            List<String> expected = new ArrayList<>();
            for (line = in.readLine(); line != null && !line.startsWith("case "); line = in.readLine()) expected.add(line);
            cases++;
            String difference = compare(head[2], expected);
            if (difference == null) continue;
            failures++;
            System.out.println("FAILED " + head[1] + ": " + difference);
        }
        System.out.println("verified " + cases + " failed " + failures);
        if (cases == 0 || failures > 0) System.exit(1);
    }

    private static String compare(String base64, List<String> expected) {
        List<String> actual;
        try {
            actual = describe(Base64.getDecoder().decode(base64));
        } catch (RuntimeException error) {
            return error.toString();
        }
        for (int i = 0; i < Math.min(actual.size(), expected.size()); i++) {
            if (!actual.get(i).equals(expected.get(i))) return "Java reads <" + actual.get(i) + "> but we wrote <" + expected.get(i) + ">";
        }
        return actual.size() == expected.size() ? null : "Java reads " + actual.size() + " lines of " + expected.size();
    }

    private static List<String> describe(byte[] bytes) {
        List<String> lines = new ArrayList<>();
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(bytes)).batches()) {
            batch.ensureValid();
            lines.add("batch " + batch.baseOffset() + " " + batch.lastOffset() + " " + batch.partitionLeaderEpoch()
                + " " + batch.compressionType().name + " " + batch.timestampType().name + " " + batch.isTransactional()
                + " " + batch.isControlBatch() + " " + batch.maxTimestamp() + " " + batch.producerId() + " " + batch.producerEpoch()
                + " " + batch.baseSequence() + " " + batch.lastSequence() + " " + batch.countOrNull()
                + " " + batch.deleteHorizonMs().orElse(-1L) + " " + batch.sizeInBytes() + " " + batch.checksum());
            for (Record record : batch) lines.add(describe(record));
        }
        return lines;
    }

    private static String describe(Record record) {
        StringBuilder line = new StringBuilder("record " + record.offset() + " " + record.timestamp()
            + " " + encode(record.key()) + " " + encode(record.value()));
        for (Header header : record.headers()) {
            line.append(' ').append(encode(ByteBuffer.wrap(header.key().getBytes(StandardCharsets.UTF_8))));
            line.append(' ').append(encode(header.value() == null ? null : ByteBuffer.wrap(header.value())));
        }
        return line.toString();
    }

    /** "-" for null, otherwise "=" and base64. */
    private static String encode(ByteBuffer bytes) {
        if (bytes == null) return "-";
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return "=" + Base64.getEncoder().encodeToString(copy);
    }

    private Vectors() {}
}
