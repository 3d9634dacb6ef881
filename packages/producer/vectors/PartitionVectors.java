import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * Prints one JSON array per line: a key in hex, its murmur2 hash, and its partition among 1, 3, 7, 12 and 1000.
 * java -cp 'kafka-libs/*' PartitionVectors.java > partition-vectors.jsonl
 */
public class PartitionVectors {
    public static void main(String[] args) {
        Random random = new Random(20261);
        for (int i = 0; i < 400; i++) {
            byte[] key = new byte[i < 40 ? i : random.nextInt(200)];
            random.nextBytes(key);
            if (i % 4 == 0) key = ("order-" + random.nextLong()).getBytes(StandardCharsets.UTF_8);
            StringBuilder json = new StringBuilder("[\"" + HexFormat.of().formatHex(key) + "\"," + Utils.murmur2(key));
            for (int count : new int[] {1, 3, 7, 12, 1000}) json.append(',').append(BuiltInPartitioner.partitionForKey(key, count));
            System.out.println(json.append(']'));
        }
    }
}
