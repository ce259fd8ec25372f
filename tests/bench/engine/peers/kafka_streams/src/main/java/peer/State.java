package peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayDeque;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.msgpack.core.MessageBufferPacker;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;

/** A customer, and its bytes: [n, {channel: n}, last, first, [[id, event, timestamp] ...]] in msgpack. */
final class State {
    private static final int RECENT_MAX = 10;

    int n;
    private final Map<String, Integer> channels = new LinkedHashMap<>();
    private String last;
    private final String first;
    private final ArrayDeque<String[]> recent = new ArrayDeque<>(RECENT_MAX + 1);

    State(String first) {
        this.first = first;
    }

    void add(String messageId, String event, String timestamp, String channel) {
        n++;
        channels.merge(channel, 1, Integer::sum);
        last = timestamp;
        recent.addLast(new String[] {messageId, event, timestamp});
        if (recent.size() > RECENT_MAX) {
            recent.removeFirst();
        }
    }

    /** Each thread uses a buffer of its own again and again. */
    static Serde<State> serde() {
        ThreadLocal<MessageBufferPacker> packer = ThreadLocal.withInitial(MessagePack::newDefaultBufferPacker);
        return Serdes.serdeFrom((topic, state) -> state == null ? null : state.packed(packer.get()), (topic, bytes) -> bytes == null ? null : unpacked(bytes));
    }

    private byte[] packed(MessageBufferPacker packer) {
        try {
            packer.clear();
            packer.packArrayHeader(5).packInt(n).packMapHeader(channels.size());
            for (Map.Entry<String, Integer> channel : channels.entrySet()) {
                packer.packString(channel.getKey()).packInt(channel.getValue());
            }
            packer.packString(last).packString(first).packArrayHeader(recent.size());
            for (String[] one : recent) {
                packer.packArrayHeader(3).packString(one[0]).packString(one[1]).packString(one[2]);
            }
            return packer.toByteArray();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static State unpacked(byte[] bytes) {
        try (MessageUnpacker unpacker = MessagePack.newDefaultUnpacker(bytes)) {
            unpacker.unpackArrayHeader();
            int n = unpacker.unpackInt();
            Map<String, Integer> channels = new LinkedHashMap<>();
            for (int left = unpacker.unpackMapHeader(); left > 0; left--) {
                channels.put(unpacker.unpackString(), unpacker.unpackInt());
            }
            String last = unpacker.unpackString();
            State state = new State(unpacker.unpackString());
            state.n = n;
            state.last = last;
            state.channels.putAll(channels);
            for (int left = unpacker.unpackArrayHeader(); left > 0; left--) {
                unpacker.unpackArrayHeader();
                state.recent.addLast(new String[] {unpacker.unpackString(), unpacker.unpackString(), unpacker.unpackString()});
            }
            return state;
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }
}
