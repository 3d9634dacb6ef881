import java.nio.ByteBuffer;
import java.util.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.internals.ConsumerProtocol;
import org.apache.kafka.common.*;

/**
 * Prints one JSON object per line: what Kafka's own assignors and ConsumerProtocol make of random groups.
 * java -cp 'kafka-libs/*' GroupVectors.java | brotli > group-vectors.jsonl.br
 */
public class GroupVectors {
    static final Random random = new Random(20260);
    static final int GROUPS = 400;

    record Member(String id, String instance, String rack, List<String> topics, List<TopicPartition> owned, int generation) {}

    public static void main(String[] args) {
        for (int i = 0; i < GROUPS; i++) System.out.println(one(i));
    }

    static String one(int index) {
        boolean sameTopics = random.nextBoolean();
        boolean racks = random.nextInt(3) == 0;
        boolean stale = random.nextInt(3) == 0;
        Cluster cluster = cluster(racks);
        List<Member> members = members(cluster, sameTopics, racks, stale);
        StringBuilder json = new StringBuilder("{\"topics\":{");
        for (String topic : new TreeSet<>(cluster.topics())) json.append(comma(json)).append('"').append(topic).append("\":").append(racksOf(cluster, topic));
        json.append("},\"members\":[");
        Map<String, Subscription> cooperative = new HashMap<>();
        Map<String, Subscription> eager = new HashMap<>();
        Map<String, Subscription> sticky = new HashMap<>();
        for (Member member : members) {
            ByteBuffer forCooperative = subscription(member, cooperativeData(member), member.owned());
            ByteBuffer forEager = subscription(member, null, List.of());
            ByteBuffer forSticky = subscription(member, stickyData(member), List.of());
            put(cooperative, member, forCooperative);
            put(eager, member, forEager);
            put(sticky, member, forSticky);
            json.append(comma(json)).append("{\"id\":\"").append(member.id()).append("\",\"instance\":").append(string(member.instance()))
                .append(",\"rack\":").append(string(member.rack())).append(",\"topics\":").append(strings(member.topics()))
                .append(",\"owned\":").append(partitions(member.owned())).append(",\"generation\":").append(member.generation())
                .append(",\"cooperative\":\"").append(hex(forCooperative)).append("\",\"eager\":\"").append(hex(forEager))
                .append("\",\"sticky\":\"").append(hex(forSticky)).append("\"}");
        }
        Map<String, Assignment> range = assign(new RangeAssignor(), cluster, eager);
        json.append("],\"range\":").append(assignment(range));
        json.append(",\"roundrobin\":").append(assignment(assign(new RoundRobinAssignor(), cluster, eager)));
        json.append(",\"sticky\":").append(assignment(assign(new StickyAssignor(), cluster, sticky)));
        json.append(",\"cooperative-sticky\":").append(assignment(assign(new CooperativeStickyAssignor(), cluster, cooperative)));
        List<TopicPartition> first = range.values().iterator().next().partitions();
        json.append(",\"assigned\":").append(partitions(first)).append(",\"assignment\":\"")
            .append(hex(ConsumerProtocol.serializeAssignment(new Assignment(first)))).append("\"}");
        return json.toString();
    }

    static Cluster cluster(boolean racks) {
        List<Node> nodes = new ArrayList<>();
        for (int n = 0; n < 6; n++) nodes.add(new Node(n, "h" + n, 9092, racks && n < 5 ? "r" + n % 3 : null));
        int replicas = 1 + random.nextInt(3);
        int topicCount = 1 + random.nextInt(5);
        int even = 1 + random.nextInt(12);
        List<PartitionInfo> infos = new ArrayList<>();
        for (int t = 0; t < topicCount; t++) {
            int count = random.nextInt(3) == 0 ? 1 + random.nextInt(20) : even;
            for (int p = 0; p < count; p++) {
                List<Node> shuffled = new ArrayList<>(nodes);
                Collections.shuffle(shuffled, random);
                Node[] of = shuffled.subList(0, replicas).toArray(new Node[0]);
                infos.add(new PartitionInfo("topic" + t, p, of[0], of, of));
            }
        }
        return new Cluster("c", nodes, infos, Set.of(), Set.of());
    }

    static List<Member> members(Cluster cluster, boolean sameTopics, boolean racks, boolean stale) {
        List<String> allTopics = new ArrayList<>(new TreeSet<>(cluster.topics()));
        List<TopicPartition> free = new ArrayList<>();
        for (String topic : allTopics) for (int p = 0; p < cluster.partitionCountForTopic(topic); p++) free.add(new TopicPartition(topic, p));
        Collections.shuffle(free, random);
        List<TopicPartition> all = new ArrayList<>(free);
        if (random.nextInt(4) == 0) allTopics.add("missing");
        int count = 1 + random.nextInt(random.nextInt(10) == 0 ? 40 : 7);
        int most = 1 + random.nextInt(12);
        // Not with stale claims: Java's assignor gives partitions back to who does not subscribe any more, which is not to be followed.
        boolean unsubscribed = !stale && random.nextInt(4) == 0;
        List<Member> members = new ArrayList<>();
        for (int m = 0; m < count; m++) {
            String id = "member-" + Integer.toHexString(random.nextInt(1 << 20)) + "-" + m;
            List<String> topics = new ArrayList<>(allTopics);
            Collections.shuffle(topics, random);
            if (!sameTopics) topics = new ArrayList<>(topics.subList(0, 1 + random.nextInt(topics.size())));
            List<TopicPartition> owned = new ArrayList<>();
            int wanted = random.nextInt(most);
            for (Iterator<TopicPartition> it = free.iterator(); it.hasNext() && owned.size() < wanted;) {
                TopicPartition tp = it.next();
                if (!unsubscribed && !topics.contains(tp.topic())) continue;
                owned.add(tp);
                it.remove();
            }
            // What it had in a generation that went on without it, or what two believe to have.
            if (stale && random.nextInt(3) == 0) {
                TopicPartition tp = all.get(random.nextInt(all.size()));
                if (!owned.contains(tp) && topics.contains(tp.topic())) owned.add(tp);
            }
            int generation = stale ? 4 + random.nextInt(4) : 7;
            if (random.nextInt(8) == 0) { owned.clear(); generation = -1; }
            String instance = random.nextInt(4) == 0 ? "instance-" + random.nextInt(100) + "-" + m : null;
            String rack = racks && random.nextInt(5) != 0 ? "r" + random.nextInt(4) : null;
            members.add(new Member(id, instance, rack, topics, owned, generation));
        }
        return members;
    }

    static ByteBuffer subscription(Member member, ByteBuffer userData, List<TopicPartition> owned) {
        return ConsumerProtocol.serializeSubscription(
            new Subscription(member.topics(), userData, owned, member.generation(), Optional.ofNullable(member.rack())));
    }

    static ConsumerGroupMetadata metadata(Member member) {
        return new ConsumerGroupMetadata("g", member.generation(), member.id(), Optional.ofNullable(member.instance()));
    }

    static ByteBuffer cooperativeData(Member member) {
        CooperativeStickyAssignor assignor = new CooperativeStickyAssignor();
        if (member.generation() >= 0) assignor.onAssignment(new Assignment(member.owned()), metadata(member));
        return assignor.subscriptionUserData(new HashSet<>(member.topics()));
    }

    static ByteBuffer stickyData(Member member) {
        StickyAssignor assignor = new StickyAssignor();
        if (member.generation() >= 0) assignor.onAssignment(new Assignment(member.owned()), metadata(member));
        return assignor.subscriptionUserData(new HashSet<>(member.topics()));
    }

    static void put(Map<String, Subscription> subscriptions, Member member, ByteBuffer bytes) {
        Subscription subscription = ConsumerProtocol.deserializeSubscription(bytes.duplicate());
        subscription.setGroupInstanceId(Optional.ofNullable(member.instance()));
        subscriptions.put(member.id(), subscription);
    }

    static Map<String, Assignment> assign(ConsumerPartitionAssignor assignor, Cluster cluster, Map<String, Subscription> subscriptions) {
        return assignor.assign(cluster, new GroupSubscription(subscriptions)).groupAssignment();
    }

    static String racksOf(Cluster cluster, String topic) {
        StringBuilder json = new StringBuilder("[");
        for (int p = 0; p < cluster.partitionCountForTopic(topic); p++) {
            List<String> racks = new ArrayList<>();
            for (Node node : cluster.partition(new TopicPartition(topic, p)).replicas()) if (node.hasRack()) racks.add(node.rack());
            json.append(comma(json)).append(strings(racks));
        }
        return json.append(']').toString();
    }

    static String comma(StringBuilder json) {
        char last = json.charAt(json.length() - 1);
        return last == '{' || last == '[' ? "" : ",";
    }

    static String string(String text) {
        return text == null ? "null" : '"' + text + '"';
    }

    static String strings(List<String> list) {
        StringBuilder json = new StringBuilder("[");
        for (String one : list) json.append(comma(json)).append(string(one));
        return json.append(']').toString();
    }

    static String partitions(List<TopicPartition> list) {
        StringBuilder json = new StringBuilder("[");
        for (TopicPartition tp : list) json.append(comma(json)).append("[\"").append(tp.topic()).append("\",").append(tp.partition()).append(']');
        return json.append(']').toString();
    }

    static String assignment(Map<String, Assignment> assignment) {
        StringBuilder json = new StringBuilder("{");
        new TreeMap<>(assignment).forEach((id, one) -> json.append(comma(json)).append(string(id)).append(':').append(partitions(one.partitions())));
        return json.append('}').toString();
    }

    static String hex(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return HexFormat.of().formatHex(bytes);
    }
}
