package millrace;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.HexFormat;
import java.util.Set;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.Message;

/**
 * Writes a message object as JSON by its Java fields, all of them. A string value begins with ' when it is text or a
 * uuid, with # when it is bytes in hexadecimal, and is an int64 in decimal otherwise.
 */
final class Dump {
    private final StringBuilder out = new StringBuilder();
    private final Set<String> unsigned;

    private Dump(Set<String> unsigned) {
        this.unsigned = unsigned;
    }

    /** @param unsigned the names of fields of type uint32, for which Java takes a long */
    static String json(Message message, Set<String> unsigned) throws ReflectiveOperationException {
        Dump dump = new Dump(unsigned);
        dump.message(message);
        return dump.out.toString();
    }

    static String text(String text) {
        Dump dump = new Dump(Set.of());
        dump.quoted(text);
        return dump.out.toString();
    }

    private void message(Message message) throws ReflectiveOperationException {
        out.append('{');
        boolean first = true;
        for (Field field : message.getClass().getDeclaredFields()) {
            String name = field.getName();
            boolean ours = !Modifier.isStatic(field.getModifiers()) && !name.equals("_unknownTaggedFields") && !name.equals("next") && !name.equals("prev");
            if (!ours) continue;
            field.setAccessible(true);
            if (!first) out.append(',');
            first = false;
            out.append('"').append(name).append("\":");
            if (unsigned.contains(name)) out.append(field.get(message));
            else value(field.get(message));
        }
        out.append('}');
    }

    private void value(Object value) throws ReflectiveOperationException {
        if (value == null) out.append("null");
        else if (value instanceof Boolean || value instanceof Byte || value instanceof Short || value instanceof Integer || value instanceof Double) out.append(value);
        else if (value instanceof Long number) out.append('"').append(number).append('"');
        else if (value instanceof String text) quoted("'" + text);
        else if (value instanceof Uuid uuid) quoted("'" + uuid);
        else if (value instanceof byte[] bytes) hex(ByteBuffer.wrap(bytes));
        else if (value instanceof ByteBuffer bytes) hex(bytes);
        else if (value instanceof Collection<?> list) list(list);
        else if (value instanceof Message message) message(message);
        else hex(RecordBytes.unwrap(value));
    }

    private void list(Collection<?> list) throws ReflectiveOperationException {
        out.append('[');
        boolean first = true;
        for (Object item : list) {
            if (!first) out.append(',');
            first = false;
            value(item);
        }
        out.append(']');
    }

    private void hex(ByteBuffer buffer) {
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        out.append("\"#").append(HexFormat.of().formatHex(bytes)).append('"');
    }

    private void quoted(String text) {
        out.append('"');
        for (char character : text.toCharArray()) {
            if (character == '"' || character == '\\') out.append('\\').append(character);
            else if (character < ' ') out.append(String.format("\\u%04x", (int) character));
            else out.append(character);
        }
        out.append('"');
    }
}
