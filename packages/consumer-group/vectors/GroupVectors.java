import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.TopicPartition;

/**
 * Prints one JSON object per line: what Kafka's own assignors and ConsumerProtocol make of random groups.
 * java -cp 'kafka-libs/*' GroupVectors.java > group-vectors.jsonl
 */
public class GroupVectors {
    static final Random random = new Random(20260);

    public static void main(String[] args) {
        for (int i = 0; i < 120; i++) System.out.println(one(i));
    }

    static String one(int index) {
        boolean sameTopics = random.nextBoolean();
        Map<String, Integer> counts = new TreeMap<>();
        int topicCount = 1 + random.nextInt(5);
        int even = 1 + random.nextInt(12);
        for (int t = 0; t < topicCount; t++) counts.put("topic" + t, random.nextInt(3) == 0 ? 1 + random.nextInt(12) : even);
        List<String> allTopics = new ArrayList<>(counts.keySet());
        if (random.nextInt(4) == 0) allTopics.add("missing");
        Map<String, Subscription> members = new TreeMap<>();
        Map<String, String> instances = new HashMap<>();
        int memberCount = 1 + random.nextInt(7);
        List<TopicPartition> free = new ArrayList<>();
        counts.forEach((topic, count) -> { for (int p = 0; p < count; p++) free.add(new TopicPartition(topic, p)); });
        Collections.shuffle(free, random);
        StringBuilder json = new StringBuilder("{\"counts\":{");
        counts.forEach((topic, count) -> json.append(comma(json)).append('"').append(topic).append("\":").append(count));
        json.append("},\"members\":[");
        for (int m = 0; m < memberCount; m++) {
            String id = "member-" + Integer.toHexString(random.nextInt(1 << 20)) + "-" + m;
            List<String> topics = new ArrayList<>(allTopics);
            Collections.shuffle(topics, random);
            if (!sameTopics) topics = new ArrayList<>(topics.subList(0, 1 + random.nextInt(topics.size())));
            List<TopicPartition> owned = new ArrayList<>();
            int most = random.nextInt(8);
            for (Iterator<TopicPartition> it = free.iterator(); it.hasNext() && owned.size() < most;) {
                TopicPartition tp = it.next();
                if (!topics.contains(tp.topic())) continue;
                owned.add(tp);
                it.remove();
            }
            int generation = 7;
            ByteBuffer userData = ByteBuffer.allocate(4);
            userData.putInt(generation).flip();
            Subscription subscription = new Subscription(topics, userData, owned, generation, Optional.empty());
            if (random.nextInt(4) == 0) {
                instances.put(id, "instance-" + random.nextInt(100) + "-" + m);
                subscription.setGroupInstanceId(Optional.of(instances.get(id)));
            }
            members.put(id, subscription);
            ByteBuffer bytes = ConsumerProtocol.serializeSubscription(subscription);
            json.append(comma(json)).append("{\"id\":\"").append(id).append("\",\"instance\":")
                .append(instances.containsKey(id) ? "\"" + instances.get(id) + "\"" : "null")
                .append(",\"topics\":").append(strings(topics)).append(",\"owned\":").append(partitions(owned))
                .append(",\"subscription\":\"").append(hex(bytes)).append("\"}");
        }
        Map<String, List<TopicPartition>> range = new RangeAssignor().assign(counts, new HashMap<>(members));
        Map<String, List<TopicPartition>> sticky = new CooperativeStickyAssignor().assign(counts, new HashMap<>(members));
        json.append("],\"range\":").append(assignment(range)).append(",\"sticky\":").append(assignment(sticky));
        List<TopicPartition> first = range.values().iterator().next();
        json.append(",\"assigned\":").append(partitions(first)).append(",\"assignment\":\"")
            .append(hex(ConsumerProtocol.serializeAssignment(new Assignment(first)))).append("\"}");
        return json.toString();
    }

    static String comma(StringBuilder json) {
        char last = json.charAt(json.length() - 1);
        return last == '{' || last == '[' ? "" : ",";
    }

    static String strings(List<String> list) {
        StringBuilder json = new StringBuilder("[");
        for (String one : list) json.append(comma(json)).append('"').append(one).append('"');
        return json.append(']').toString();
    }

    static String partitions(List<TopicPartition> list) {
        StringBuilder json = new StringBuilder("[");
        for (TopicPartition tp : list) json.append(comma(json)).append("[\"").append(tp.topic()).append("\",").append(tp.partition()).append(']');
        return json.append(']').toString();
    }

    static String assignment(Map<String, List<TopicPartition>> assignment) {
        StringBuilder json = new StringBuilder("{");
        new TreeMap<>(assignment).forEach((id, list) -> json.append(comma(json)).append('"').append(id).append("\":").append(partitions(list)));
        return json.append('}').toString();
    }

    static String hex(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }
}
