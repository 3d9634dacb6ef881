import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * The members of a group in Java, each with a thread of its own, driven over standard input by the commands of src/grouping/commands.ts and
 * measured as src/grouping/watch.ts measures ours.
 *
 * java -cp 'kafka-libs/*' GroupMembers.java BOOTSTRAP TOPIC PARTITIONS MEMBERS HEARTBEAT_MS LIMIT_MS
 */
public class GroupMembers {
    static final Duration POLL = Duration.ofMillis(100);

    static String bootstrap;
    static String topic;
    static int heartbeatMs;
    static long limitMs;
    static Watch watch;
    static Member[] members;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        topic = args[1];
        watch = new Watch(Integer.parseInt(args[2]), Integer.parseInt(args[3]));
        members = new Member[Integer.parseInt(args[3])];
        heartbeatMs = Integer.parseInt(args[4]);
        limitMs = Long.parseLong(args[5]);
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        String[] form = null;
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "form" -> {
                    form = words;
                    System.out.println(form(words[1], words[2]));
                }
                case "rest" -> System.out.println(rest(Long.parseLong(words[1])));
                case "leave" -> System.out.println(leave(members.length - 1));
                case "join" -> System.out.println(join(members.length - 1, form[1], form[2]));
                case "disband" -> System.out.println(disband());
                default -> throw new IllegalArgumentException(line);
            }
        }
        System.exit(0);
    }

    static String form(String group, String protocol) throws Exception {
        watch.reset();
        double start = now();
        for (int i = 0; i < members.length; i++) {
            watch.joins(i);
            members[i] = new Member(i, group, protocol);
        }
        for (Member member : members) member.start();
        double settled = watch.untilSettled(limitMs);
        watch.untilFlowing(limitMs);
        return "{\"settleMs\":" + (settled - start) + "}";
    }

    static String rest(long ms) throws Exception {
        watch.begin(now());
        Thread.sleep(ms);
        return watch.report(now(), 0);
    }

    static String leave(int index) throws Exception {
        watch.begin(now());
        double start = members[index].close();
        double settled = watch.untilSettled(limitMs);
        members[index].join();
        watch.untilFlowing(limitMs);
        return watch.report(now(), settled - start);
    }

    static String join(int index, String group, String protocol) throws Exception {
        Member member = new Member(index, group, protocol);
        double start = now();
        watch.begin(start);
        watch.joins(index);
        members[index] = member;
        member.start();
        double settled = watch.untilSettled(limitMs);
        watch.untilFlowing(limitMs);
        return watch.report(now(), settled - start);
    }

    static String disband() throws Exception {
        for (Member member : members) member.stop = true;
        for (Member member : members) member.consumer.wakeup();
        for (Member member : members) member.join();
        return "{}";
    }

    static double now() {
        return System.nanoTime() / 1e6;
    }

    static class Member extends Thread implements ConsumerRebalanceListener {
        final int index;
        final KafkaConsumer<byte[], byte[]> consumer;
        volatile boolean stop;

        Member(int index, String group, String protocol) {
            this.index = index;
            Properties config = new Properties();
            config.put("bootstrap.servers", bootstrap);
            config.put("group.id", group);
            config.put("auto.offset.reset", "latest");
            if (protocol.equals("consumer")) {
                config.put("group.protocol", "consumer");
            } else {
                config.put("heartbeat.interval.ms", heartbeatMs);
                config.put("partition.assignment.strategy", protocol.equals("range")
                    ? "org.apache.kafka.clients.consumer.RangeAssignor"
                    : "org.apache.kafka.clients.consumer.CooperativeStickyAssignor");
            }
            consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer());
            consumer.subscribe(List.of(topic), this);
        }

        /** Returns when the consumer itself began to close. */
        double close() throws Exception {
            stop = true;
            consumer.wakeup();
            synchronized (this) {
                while (closing == 0) wait();
            }
            return closing;
        }

        private double closing;

        @Override
        public void run() {
            try {
                while (!stop) {
                    ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
                    for (TopicPartition partition : records.partitions()) watch.delivered(index, partition.partition(), now());
                }
            } catch (WakeupException woken) {
                // It is to end.
            } catch (RuntimeException error) {
                error.printStackTrace();
                System.exit(1);
            }
            watch.leaves(index);
            synchronized (this) {
                closing = now();
                notifyAll();
            }
            consumer.close();
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            watch.assigned(index, partitions);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            watch.revoked(index, partitions);
        }
    }

    /** Who has which partitions, and for how long nothing came of them. */
    static class Watch {
        static final int NOBODY = -1;
        final int partitions;
        final int[] counts;
        final int[] owners;
        final int[] before;
        final double[] partitionLast;
        final double[] partitionGaps;
        final boolean[] isIn;
        final boolean[] wasIn;
        final int[] sizes;
        final int[] events;
        final double[] memberLast;
        final double[] memberGaps;
        /** Those of which something came since the group settled. */
        final boolean[] isFlowing;
        private int flowing;
        private int exact;

        Watch(int partitions, int members) {
            this.partitions = partitions;
            counts = new int[partitions];
            owners = new int[partitions];
            before = new int[partitions];
            partitionLast = new double[partitions];
            partitionGaps = new double[partitions];
            isIn = new boolean[members];
            wasIn = new boolean[members];
            sizes = new int[members];
            events = new int[members];
            memberLast = new double[members];
            memberGaps = new double[members];
            isFlowing = new boolean[partitions];
        }

        synchronized void reset() {
            Arrays.fill(counts, 0);
            Arrays.fill(owners, NOBODY);
            Arrays.fill(isIn, false);
            Arrays.fill(sizes, 0);
            exact = 0;
        }

        synchronized void joins(int member) {
            isIn[member] = true;
            sizes[member] = 0;
        }

        /** What it has counts as given up from now on. */
        synchronized void leaves(int member) {
            isIn[member] = false;
            for (int partition = 0; partition < partitions; partition++) if (owners[partition] == member) give(partition, -1);
            sizes[member] = 0;
        }

        synchronized void assigned(int member, Collection<TopicPartition> added) {
            if (added.isEmpty() || !isIn[member]) return;
            events[member]++;
            sizes[member] += added.size();
            for (TopicPartition one : added) {
                owners[one.partition()] = member;
                give(one.partition(), 1);
            }
            notifyAll();
        }

        synchronized void revoked(int member, Collection<TopicPartition> removed) {
            if (removed.isEmpty() || !isIn[member]) return;
            events[member]++;
            sizes[member] -= removed.size();
            for (TopicPartition one : removed) {
                if (owners[one.partition()] == member) owners[one.partition()] = NOBODY;
                give(one.partition(), -1);
            }
        }

        private void give(int partition, int by) {
            if (counts[partition] == 1) exact--;
            counts[partition] += by;
            if (counts[partition] == 1) exact++;
        }

        synchronized void delivered(int member, int partition, double now) {
            partitionGaps[partition] = Math.max(partitionGaps[partition], now - partitionLast[partition]);
            partitionLast[partition] = now;
            memberGaps[member] = Math.max(memberGaps[member], now - memberLast[member]);
            memberLast[member] = now;
            if (isFlowing[partition]) return;
            isFlowing[partition] = true;
            if (++flowing == partitions) notifyAll();
        }

        synchronized void begin(double now) {
            System.arraycopy(owners, 0, before, 0, partitions);
            System.arraycopy(isIn, 0, wasIn, 0, isIn.length);
            Arrays.fill(partitionGaps, 0);
            Arrays.fill(memberGaps, 0);
            Arrays.fill(events, 0);
        }

        /** When every partition had exactly one owner and every member its share. */
        synchronized double untilSettled(long limitMs) throws Exception {
            double deadline = now() + limitMs;
            while (!isSettled()) {
                if (now() > deadline) throw new IllegalStateException("not settled within " + limitMs + " ms");
                wait(limitMs);
            }
            Arrays.fill(isFlowing, false);
            flowing = 0;
            return now();
        }

        /** When something came of every partition since the group settled. */
        synchronized void untilFlowing(long limitMs) throws Exception {
            double deadline = now() + limitMs;
            while (flowing < partitions) {
                if (now() > deadline) throw new IllegalStateException("no records within " + limitMs + " ms");
                wait(limitMs);
            }
        }

        private boolean isSettled() {
            if (exact < partitions) return false;
            int living = 0;
            for (boolean in : isIn) if (in) living++;
            for (int i = 0; i < isIn.length; i++) {
                if (isIn[i] && (sizes[i] < partitions / living || sizes[i] > (partitions + living - 1) / living)) return false;
            }
            return true;
        }

        synchronized String report(double now, double settleMs) {
            boolean[] touched = new boolean[isIn.length];
            int kept = 0;
            double keptGap = 0;
            double movedGap = 0;
            for (int partition = 0; partition < partitions; partition++) {
                double gap = Math.max(partitionGaps[partition], now - partitionLast[partition]);
                if (before[partition] == owners[partition]) {
                    kept++;
                    keptGap = Math.max(keptGap, gap);
                } else {
                    touched[before[partition]] = true;
                    touched[owners[partition]] = true;
                    movedGap = Math.max(movedGap, gap);
                }
            }
            int untouched = 0;
            int untouchedEvents = 0;
            double untouchedGap = 0;
            for (int i = 0; i < isIn.length; i++) {
                if (!isIn[i] || !wasIn[i] || touched[i]) continue;
                untouched++;
                untouchedEvents += events[i];
                untouchedGap = Math.max(untouchedGap, Math.max(memberGaps[i], now - memberLast[i]));
            }
            return "{\"settleMs\":" + settleMs + ",\"untouched\":" + untouched + ",\"untouchedEvents\":" + untouchedEvents
                + ",\"untouchedGapMs\":" + untouchedGap + ",\"kept\":" + kept + ",\"keptGapMs\":" + keptGap
                + ",\"movedGapMs\":" + movedGap + "}";
        }
    }
}
