//! Protocol Buffers on the wire: the three encodings that ONNX needs, in the order of the calls.

/// A message that can write its fields, in ascending order of their numbers.
pub(crate) trait Message {
    fn write(&self, out: &mut Writer);

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(&mut out);
        out.0
    }
}

/// Bytes of a message that is being written.
///
/// Repeated numbers are written one by one, as `onnx.proto`, a proto2 file, has them.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;

impl Writer {
    /// Writes an `int64`, an `int32` or an enumeration.
    pub(crate) fn int(&mut self, field: u64, value: i64) {
        self.varint(field << 3 | VARINT);
        // Two's complement: a negative number takes ten bytes.
        self.varint(value.cast_unsigned());
    }

    /// Writes `bytes`.
    pub(crate) fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// Writes a `string`.
    pub(crate) fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// Writes a message within this one.
    pub(crate) fn message(&mut self, field: u64, message: &impl Message) {
        self.bytes(field, &message.to_bytes());
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}
