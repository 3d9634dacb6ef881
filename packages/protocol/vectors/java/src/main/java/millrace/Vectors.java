package millrace;

import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import org.apache.kafka.common.errors.UnsupportedVersionException;
import org.apache.kafka.common.message.ApiMessageType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;

/**
 * Writes test vectors made by Kafka's own generated classes: one line of JSON each. The first argument is the file, each
 * other one the name of a data message, or "apis" for all requests and responses.
 *
 * m: message; v: version; b: its bytes; x: its value; for an API also k: key, h: header bytes, c: correlation id, i: client id.
 * u: 1 when the bytes hold tagged fields that no version defines, so that only decoding is asked for.
 * f: the value sets fields that the version does not have: "dropped" when Kafka leaves them out, "refused" when it throws
 * (then there are no bytes), so that only encoding is asked for.
 */
public final class Vectors {
    private static final String[] DATA_PACKAGES = {
        "org.apache.kafka.common.message.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.common.metadata.",
        "org.apache.kafka.server.log.remote.metadata.storage.generated.",
    };
    private static final String[] CLIENT_IDS = {"", "producer-1", "клиент", null};
    private static final int RANDOM_CASES = 6;

    private final BufferedWriter out;

    private Vectors(BufferedWriter out) {
        this.out = out;
    }

    public static void main(String[] arguments) throws Exception {
        try (BufferedWriter out = Files.newBufferedWriter(Path.of(arguments[0]), StandardCharsets.UTF_8)) {
            Vectors vectors = new Vectors(out);
            for (int index = 1; index < arguments.length; index++) {
                if (arguments[index].equals("apis")) vectors.allApis();
                else vectors.all(arguments[index]);
            }
        }
    }

    private void allApis() throws Exception {
        for (ApiMessageType api : ApiMessageType.values()) {
            if (api.lowestSupportedVersion() > api.highestSupportedVersion(true)) continue;
            all(api, true);
            all(api, false);
        }
    }

    private interface Factory {
        Message create() throws ReflectiveOperationException;
    }

    private interface Header {
        String fields(int seed);
    }

    private void all(ApiMessageType api, boolean request) throws Exception {
        Factory factory = () -> request ? api.newRequest() : api.newResponse();
        Definitions.Message definition = Definitions.load(factory.create().getClass().getSimpleName().replaceAll("Data$", ""));
        for (short version = api.lowestSupportedVersion(); version <= api.highestSupportedVersion(true); version++) {
            short at = version;
            all(definition, factory, version, seed -> request ? requestHeader(api, at, seed) : responseHeader(api, at, seed));
        }
    }

    private void all(String name) throws Exception {
        Definitions.Message definition = Definitions.load(name);
        Class<?> type = dataClass(name);
        for (short version = definition.low(); version <= definition.high(); version++) {
            all(definition, () -> (Message) type.getDeclaredConstructor().newInstance(), version, seed -> "");
        }
    }

    private static Class<?> dataClass(String name) throws ClassNotFoundException {
        for (String prefix : DATA_PACKAGES) {
            try {
                return Class.forName(prefix + name);
            } catch (ClassNotFoundException wrongPackage) {
                // The next one may have it.
            }
        }
        throw new ClassNotFoundException(name);
    }

    private void all(Definitions.Message definition, Factory factory, short version, Header header) throws Exception {
        int seed = (definition.name() + version).hashCode();
        plain(definition, factory, version, header, RandomMessages.Style.EMPTY, false, seed);
        plain(definition, factory, version, header, RandomMessages.Style.LOWEST, false, seed + 1);
        plain(definition, factory, version, header, RandomMessages.Style.HIGHEST, false, seed + 2);
        for (int round = 0; round < RANDOM_CASES; round++) {
            plain(definition, factory, version, header, RandomMessages.Style.RANDOM, false, seed + 3 + round);
        }
        if (version >= definition.flexibleSince()) plain(definition, factory, version, header, RandomMessages.Style.RANDOM, true, seed + 1000);
        foreign(definition, factory, version, RandomMessages.Foreign.IGNORABLE, seed + 2000);
        foreign(definition, factory, version, RandomMessages.Foreign.ALL, seed + 3000);
    }

    /** Fields of the version only. The value is what Kafka itself reads back from the bytes. */
    private void plain(
        Definitions.Message definition, Factory factory, short version, Header header, RandomMessages.Style style, boolean unknownTags, int seed
    ) throws Exception {
        Message message = factory.create();
        new RandomMessages(definition, version, style, RandomMessages.Foreign.NONE, unknownTags, seed).fill(message);
        byte[] bytes = serialize(message, version);
        Message readBack = factory.create();
        readBack.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), version);
        if (!readBack.equals(message)) throw new IllegalStateException(definition.name() + " v" + version + " does not read back as it was written");
        String flags = header.fields(seed) + (unknownTags ? ",\"u\":1" : "");
        line(definition, version, flags, hex(bytes), Dump.json(readBack, definition.unsigned()));
    }

    private void foreign(Definitions.Message definition, Factory factory, short version, RandomMessages.Foreign foreign, int seed) throws Exception {
        Message message = factory.create();
        new RandomMessages(definition, version, RandomMessages.Style.RANDOM, foreign, false, seed).fill(message);
        String value = Dump.json(message, definition.unsigned());
        try {
            byte[] bytes = serialize(message, version);
            line(definition, version, ",\"f\":\"dropped\"", hex(bytes), value);
        } catch (UnsupportedVersionException refused) {
            line(definition, version, ",\"f\":\"refused\"", "", value);
        }
    }

    private void line(Definitions.Message definition, short version, String flags, String bytes, String value) throws IOException {
        out.write("{\"m\":\"" + definition.name() + "\",\"v\":" + version + flags + ",\"b\":\"" + bytes + "\",\"x\":" + value + "}\n");
    }

    private static String requestHeader(ApiMessageType api, short version, int seed) {
        String clientId = CLIENT_IDS[Math.floorMod(seed, CLIENT_IDS.length)];
        RequestHeaderData header = new RequestHeaderData()
            .setRequestApiKey(api.apiKey()).setRequestApiVersion(version).setCorrelationId(seed).setClientId(clientId);
        String client = clientId == null ? "null" : Dump.text(clientId);
        return headerFields(api, header, api.requestHeaderVersion(version), seed) + ",\"i\":" + client;
    }

    private static String responseHeader(ApiMessageType api, short version, int seed) {
        ResponseHeaderData header = new ResponseHeaderData().setCorrelationId(seed);
        return headerFields(api, header, api.responseHeaderVersion(version), seed);
    }

    private static String headerFields(ApiMessageType api, Message header, short headerVersion, int seed) {
        return ",\"k\":" + api.apiKey() + ",\"h\":\"" + hex(serialize(header, headerVersion)) + "\",\"c\":" + seed;
    }

    private static byte[] serialize(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return buffer.array();
    }

    private static String hex(byte[] bytes) {
        return HexFormat.of().formatHex(bytes);
    }
}
