package millrace;

import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Kafka's message definitions as they lie in its jars: what says which fields a version has and which may be null. */
final class Definitions {
    private static final JsonMapper MAPPER = JsonMapper.builder().enable(JsonReadFeature.ALLOW_JAVA_COMMENTS).build();
    private static final List<String> FOLDERS = List.of("common/message/", "common/metadata/", "message/");

    private Definitions() {}

    /** A message with its structs by name. */
    record Message(String name, short low, short high, int flexibleSince, List<Field> fields, Map<String, List<Field>> structs) {
        Set<String> unsigned() {
            return Stream.concat(Stream.of(fields), structs.values().stream())
                .flatMap(List::stream).filter(field -> field.type().equals("uint32")).map(Field::name).collect(Collectors.toSet());
        }
    }

    record Field(String name, String type, Range versions, Range nullable, Range tagged, boolean ignorable) {
        boolean isArray() {
            return type.startsWith("[]");
        }

        String elementType() {
            return isArray() ? type.substring(2) : type;
        }
    }

    record Range(int low, int high) {
        static final Range NONE = new Range(1, 0);

        boolean contains(int version) {
            return version >= low && version <= high;
        }

        static Range parse(String text) {
            if (text.equals("none")) return NONE;
            if (text.endsWith("+")) return new Range(Integer.parseInt(text.substring(0, text.length() - 1)), Integer.MAX_VALUE);
            String[] ends = text.split("-");
            return new Range(Integer.parseInt(ends[0]), Integer.parseInt(ends[ends.length - 1]));
        }
    }

    static Message load(String name) throws IOException {
        JsonNode definition = read(name);
        Map<String, List<Field>> structs = new HashMap<>();
        List<Field> fields = fields(definition, structs);
        for (JsonNode struct : definition.path("commonStructs")) structs.put(struct.get("name").asText(), fields(struct, structs));
        Range valid = Range.parse(definition.get("validVersions").asText());
        Range flexible = Range.parse(definition.get("flexibleVersions").asText());
        int flexibleSince = flexible == Range.NONE ? Integer.MAX_VALUE : flexible.low();
        return new Message(name, (short) valid.low(), (short) valid.high(), flexibleSince, fields, structs);
    }

    private static JsonNode read(String name) throws IOException {
        for (String folder : FOLDERS) {
            try (InputStream stream = Definitions.class.getClassLoader().getResourceAsStream(folder + name + ".json")) {
                if (stream != null) return MAPPER.readTree(stream);
            }
        }
        throw new IOException("no definition of " + name);
    }

    private static List<Field> fields(JsonNode parent, Map<String, List<Field>> structs) {
        List<Field> fields = new ArrayList<>();
        for (JsonNode node : parent.path("fields")) {
            String type = node.get("type").asText();
            Range tagged = Range.parse(node.path("taggedVersions").asText("none"));
            Range versions = node.has("versions") ? Range.parse(node.get("versions").asText()) : tagged;
            Range nullable = Range.parse(node.path("nullableVersions").asText("none"));
            String name = node.get("name").asText();
            String camel = name.substring(0, 1).toLowerCase() + name.substring(1);
            fields.add(new Field(camel, type, versions, nullable, tagged, node.path("ignorable").asBoolean(false)));
            if (node.has("fields")) structs.put(type.replace("[]", ""), fields(node, structs));
        }
        return fields;
    }
}
