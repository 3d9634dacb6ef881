package millrace;

import java.lang.reflect.Field;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Random;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.types.RawTaggedField;

/** Fills kafka-clients' own generated message objects with values. */
final class RandomMessages {
    /** What the values of one message look like. */
    enum Style {
        /** The defaults, and whatever is mandatory is empty or zero. */
        EMPTY,
        /** The lowest values; null wherever it is allowed; arrays of one element. */
        LOWEST,
        /** The highest values; long and non-Latin strings; arrays of two elements; every tagged field. */
        HIGHEST,
        /** Anything. */
        RANDOM
    }

    /** Which of the fields that the version does not have are filled all the same. */
    enum Foreign { NONE, IGNORABLE, ALL }

    private static final String[] STRINGS = {
        "", "a", "topic-1", "__consumer_offsets", "näïve", "日本語", "🚀 rocket", "\u0000 nul", "\uFFFF", "two\nlines \"quoted\" \\",
        "x".repeat(63), "x".repeat(127), "y".repeat(128), "é".repeat(70), "consumer-billing-1-0f3a", "\t"
    };

    private final Definitions.Message definition;
    private final int version;
    private final Style style;
    private final Foreign foreign;
    private final boolean unknownTags;
    private final Random random;

    RandomMessages(Definitions.Message definition, int version, Style style, Foreign foreign, boolean unknownTags, long seed) {
        this.definition = definition;
        this.version = version;
        this.style = style;
        this.foreign = foreign;
        this.unknownTags = unknownTags;
        this.random = new Random(seed);
    }

    void fill(Message message) throws ReflectiveOperationException {
        fill(message, definition.fields());
    }

    private void fill(Message message, List<Definitions.Field> fields) throws ReflectiveOperationException {
        for (Definitions.Field field : fields) {
            boolean present = field.versions().contains(version);
            if (!present && (foreign == Foreign.NONE || (foreign == Foreign.IGNORABLE && !field.ignorable()))) continue;
            boolean tagged = field.tagged().contains(version);
            if (style == Style.EMPTY && present && !field.type().equals("records")) continue;
            if (tagged && style == Style.RANDOM && random.nextInt(3) == 0) continue;
            Field target = message.getClass().getDeclaredField(field.name());
            target.setAccessible(true);
            target.set(message, value(field, present, target.getGenericType()));
        }
        if (unknownTags && version >= definition.flexibleSince() && random.nextInt(4) != 0) addUnknownTags(message);
    }

    private void addUnknownTags(Message message) {
        message.unknownTaggedFields().add(new RawTaggedField(100 + random.nextInt(20), bytes(random.nextInt(4))));
        if (random.nextBoolean()) message.unknownTaggedFields().add(new RawTaggedField(20_000, bytes(150)));
    }

    private Object value(Definitions.Field field, boolean present, Type type) throws ReflectiveOperationException {
        boolean nullable = present && field.nullable().contains(version);
        if (nullable && (style == Style.LOWEST || style == Style.EMPTY)) return null;
        if (nullable && style == Style.RANDOM && random.nextInt(4) == 0) return null;
        return field.isArray() ? list(field, type) : single(field.elementType(), (Class<?>) type);
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private Object list(Definitions.Field field, Type type) throws ReflectiveOperationException {
        int length = switch (style) {
            case EMPTY -> 1;
            case LOWEST -> 1;
            case HIGHEST -> 2;
            case RANDOM -> random.nextInt(8) == 0 ? 5 : random.nextInt(3);
        };
        Collection list;
        Class<?> element;
        if (type instanceof ParameterizedType plain) {
            list = new ArrayList<>();
            element = (Class<?>) plain.getActualTypeArguments()[0];
        } else {
            Class<?> collection = (Class<?>) type;
            list = (Collection) collection.getDeclaredConstructor().newInstance();
            element = (Class<?>) ((ParameterizedType) collection.getGenericSuperclass()).getActualTypeArguments()[0];
        }
        for (int index = 0; index < length; index++) list.add(single(field.elementType(), element));
        return list;
    }

    private Object single(String type, Class<?> target) throws ReflectiveOperationException {
        return switch (type) {
            case "bool" -> style == Style.HIGHEST || (style == Style.RANDOM && random.nextBoolean());
            case "int8" -> (byte) integer(Byte.MIN_VALUE, Byte.MAX_VALUE);
            case "int16" -> (short) integer(Short.MIN_VALUE, Short.MAX_VALUE);
            case "uint16" -> (int) integer(0, 65535);
            case "int32" -> (int) integer(Integer.MIN_VALUE, Integer.MAX_VALUE);
            case "uint32" -> integer(0, 0xFFFFFFFFL);
            case "int64" -> integer(Long.MIN_VALUE, Long.MAX_VALUE);
            case "float64" -> style == Style.HIGHEST ? Double.MAX_VALUE : style == Style.LOWEST ? Double.MIN_VALUE : random.nextGaussian();
            case "string" -> string();
            case "uuid" -> uuid();
            case "bytes" -> target == ByteBuffer.class ? ByteBuffer.wrap(bytes(size())) : (Object) bytes(size());
            case "records" -> RecordBytes.wrap(bytes(size()));
            default -> struct(type, target);
        };
    }

    private Object struct(String type, Class<?> target) throws ReflectiveOperationException {
        var constructor = target.getDeclaredConstructor();
        constructor.setAccessible(true);
        Message message = (Message) constructor.newInstance();
        fill(message, definition.structs().get(type));
        return message;
    }

    private long integer(long low, long high) {
        return switch (style) {
            case EMPTY -> 0;
            case LOWEST -> low;
            case HIGHEST -> high;
            case RANDOM -> switch (random.nextInt(6)) {
                case 0 -> low;
                case 1 -> high;
                case 2 -> Math.max(low, -1);
                case 3 -> Math.min(high, random.nextInt(300));
                case 4 -> random.nextInt(3);
                default -> low + Math.floorMod(random.nextLong(), high - low < 0 ? Long.MAX_VALUE : high - low + 1);
            };
        };
    }

    private String string() {
        return switch (style) {
            case EMPTY, LOWEST -> "";
            case HIGHEST -> STRINGS[6] + "y".repeat(122);
            case RANDOM -> STRINGS[random.nextInt(STRINGS.length)];
        };
    }

    private Uuid uuid() {
        return switch (style) {
            case EMPTY -> Uuid.ZERO_UUID;
            case LOWEST -> new Uuid(Long.MIN_VALUE, Long.MIN_VALUE);
            case HIGHEST -> new Uuid(-1, -1);
            case RANDOM -> random.nextInt(4) == 0 ? Uuid.ZERO_UUID : new Uuid(random.nextLong(), random.nextInt(5));
        };
    }

    private int size() {
        return switch (style) {
            case EMPTY, LOWEST -> 0;
            case HIGHEST -> 200;
            case RANDOM -> random.nextInt(12);
        };
    }

    private byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        for (int index = 0; index < length; index++) bytes[index] = (byte) (length > 100 ? index : random.nextInt(256));
        return bytes;
    }

}
