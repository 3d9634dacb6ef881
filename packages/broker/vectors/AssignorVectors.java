import java.lang.reflect.Proxy;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.coordinator.common.runtime.CoordinatorMetadataImage;
import org.apache.kafka.coordinator.group.Utils;
import org.apache.kafka.coordinator.group.api.assignor.*;
import org.apache.kafka.coordinator.group.assignor.*;
import org.apache.kafka.coordinator.group.modern.*;

/**
 * Prints one JSON object per line: what the assignors of Kafka's group coordinator make of random groups as members come, go and change
 * what they subscribe to, and the metadata hashes of their topics.
 * java -cp 'kafka-libs/*' AssignorVectors.java | brotli > assignor-vectors.jsonl.br
 */
public class AssignorVectors {
    static final Random random = new Random(848);
    static final int GROUPS = 150;
    static final int STEPS = 6;

    record Topic(Uuid id, String name, int partitions) {}

    static class Member {
        final String id = uuid().toString();
        final String instance = random.nextInt(4) == 0 ? "instance-" + random.nextInt(1000) + id : null;
        Set<Uuid> topics = new LinkedHashSet<>();
        Map<Uuid, List<Integer>> current = new LinkedHashMap<>();
    }

    static Uuid uuid() {
        return new Uuid(random.nextLong(), random.nextLong());
    }

    public static void main(String[] args) {
        for (int group = 0; group < GROUPS; group++) {
            for (String name : List.of("uniform", "range")) history(name, group % 2 == 0);
        }
    }

    static void history(String name, boolean sameTopics) {
        ConsumerGroupPartitionAssignor assignor = name.equals("uniform") ? new UniformAssignor() : new RangeAssignor();
        Map<Uuid, Topic> topics = new LinkedHashMap<>();
        int count = 1 + random.nextInt(6);
        for (int i = 0; i < count; i++) {
            Topic topic = new Topic(uuid(), "topic-" + i, 1 + random.nextInt(random.nextInt(5) == 0 ? 40 : 9));
            topics.put(topic.id(), topic);
        }
        List<Member> members = new ArrayList<>();
        for (int step = 0; step < STEPS; step++) {
            change(members, topics, sameTopics);
            Map<String, MemberSubscriptionAndAssignmentImpl> specs = new HashMap<>();
            Map<Uuid, Map<Integer, String>> inverted = new HashMap<>();
            for (Member member : members) {
                Assignment current = new Assignment(member.current.entrySet().stream()
                    .collect(Collectors.toMap(Map.Entry::getKey, entry -> new HashSet<>(entry.getValue()))));
                specs.put(member.id, new MemberSubscriptionAndAssignmentImpl(Optional.empty(), Optional.ofNullable(member.instance), member.topics, current));
                member.current.forEach((topic, partitions) -> partitions.forEach(partition ->
                    inverted.computeIfAbsent(topic, __ -> new HashMap<>()).put(partition, member.id)));
            }
            SubscriptionType type = sameTopics ? SubscriptionType.HOMOGENEOUS : SubscriptionType.HETEROGENEOUS;
            GroupAssignment result = assignor.assign(
                new GroupSpecImpl(specs, type, inverted, Optional.empty()),
                (SubscribedTopicDescriber) Proxy.newProxyInstance(AssignorVectors.class.getClassLoader(),
                    new Class<?>[] {SubscribedTopicDescriber.class},
                    (proxy, method, arguments) -> method.getName().equals("numPartitions") ? topics.get((Uuid) arguments[0]).partitions() : Set.of()));
            print(name, sameTopics, topics, members, result);
            for (Member member : members) member.current = partitions(result, member);
        }
    }

    static void change(List<Member> members, Map<Uuid, Topic> topics, boolean sameTopics) {
        List<Uuid> all = new ArrayList<>(topics.keySet());
        int joining = members.isEmpty() ? 1 + random.nextInt(5) : random.nextInt(3);
        for (int i = 0; i < joining; i++) members.add(new Member());
        while (members.size() > 1 && random.nextInt(3) == 0) members.remove(random.nextInt(members.size()));
        if (random.nextInt(3) == 0) topics.computeIfPresent(all.get(random.nextInt(all.size())), (id, topic) ->
            new Topic(id, topic.name(), topic.partitions() + 1 + random.nextInt(4)));
        Set<Uuid> common = some(all);
        for (Member member : members) {
            if (sameTopics) member.topics = common;
            else if (member.topics.isEmpty() || random.nextInt(4) == 0) member.topics = some(all);
        }
    }

    static Set<Uuid> some(List<Uuid> all) {
        Set<Uuid> chosen = new LinkedHashSet<>();
        for (Uuid topic : all) if (random.nextInt(4) != 0) chosen.add(topic);
        if (chosen.isEmpty()) chosen.add(all.get(0));
        return chosen;
    }

    static Map<Uuid, List<Integer>> partitions(GroupAssignment result, Member member) {
        Map<Uuid, List<Integer>> partitions = new LinkedHashMap<>();
        MemberAssignment assignment = result.members().get(member.id);
        if (assignment != null) assignment.partitions().forEach((topic, indexes) -> partitions.put(topic, new ArrayList<>(indexes)));
        return partitions;
    }

    static void print(String name, boolean sameTopics, Map<Uuid, Topic> topics, List<Member> members, GroupAssignment result) {
        String topicsJson = topics.values().stream().map(topic -> String.format("{\"id\":\"%s\",\"name\":\"%s\",\"partitions\":%d,\"hash\":\"%d\"}",
            topic.id(), topic.name(), topic.partitions(), hash(topic))).collect(Collectors.joining(","));
        long groupHash = Utils.computeGroupHash(topics.values().stream().collect(Collectors.toMap(Topic::name, AssignorVectors::hash)));
        String membersJson = members.stream().map(member -> String.format("{\"id\":\"%s\",\"instance\":%s,\"topics\":[%s],\"current\":%s,\"result\":%s}",
            member.id, member.instance == null ? "null" : "\"" + member.instance + "\"",
            member.topics.stream().map(id -> "\"" + id + "\"").collect(Collectors.joining(",")),
            json(member.current), json(partitions(result, member)))).collect(Collectors.joining(","));
        System.out.printf("{\"assignor\":\"%s\",\"homogeneous\":%b,\"topics\":[%s],\"hash\":\"%d\",\"members\":[%s]}%n", name, sameTopics, topicsJson, groupHash, membersJson);
    }

    static String json(Map<Uuid, List<Integer>> partitions) {
        return partitions.entrySet().stream().map(entry -> "[\"" + entry.getKey() + "\"," + entry.getValue() + "]").collect(Collectors.joining(",", "[", "]"));
    }

    static long hash(Topic topic) {
        ClassLoader loader = AssignorVectors.class.getClassLoader();
        Object metadata = Proxy.newProxyInstance(loader, new Class<?>[] {CoordinatorMetadataImage.TopicMetadata.class}, (proxy, method, arguments) ->
            switch (method.getName()) {
                case "name" -> topic.name();
                case "id" -> topic.id();
                case "partitionCount" -> topic.partitions();
                case "partitionRacks" -> new ArrayList<String>();
                default -> throw new UnsupportedOperationException(method.getName());
            });
        CoordinatorMetadataImage image = (CoordinatorMetadataImage) Proxy.newProxyInstance(loader, new Class<?>[] {CoordinatorMetadataImage.class},
            (proxy, method, arguments) -> Optional.of(metadata));
        return Utils.computeTopicHash(topic.name(), image);
    }
}
