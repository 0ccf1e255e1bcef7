//! Reads what was written, by the wire format alone, and knows nothing of the writer.

/// The fields of a message, in their order.
pub struct Fields<'a>(Vec<(u64, Field<'a>)>);

#[derive(Clone, Copy)]
enum Field<'a> {
    Number(i64),
    Bytes(&'a [u8]),
}

impl<'a> Fields<'a> {
    pub fn of(mut bytes: &'a [u8]) -> Self {
        let mut fields = Vec::new();
        while !bytes.is_empty() {
            let key = varint(&mut bytes);
            let field = match key & 7 {
                0 => Field::Number(varint(&mut bytes).cast_signed()),
                2 => {
                    let length = varint(&mut bytes) as usize;
                    let (content, rest) = bytes.split_at(length);
                    bytes = rest;
                    Field::Bytes(content)
                }
                other => panic!("wire type {other}"),
            };
            fields.push((key >> 3, field));
        }
        Self(fields)
    }

    pub fn all_bytes(&self, number: u64) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter_map(move |(at, field)| match field {
            Field::Bytes(bytes) if *at == number => Some(*bytes),
            _ => None,
        })
    }

    pub fn messages(&self, number: u64) -> Vec<Fields<'a>> {
        self.all_bytes(number).map(Fields::of).collect()
    }

    pub fn message(&self, number: u64) -> Fields<'a> {
        Fields::of(self.all_bytes(number).next().unwrap_or_default())
    }

    pub fn texts(&self, number: u64) -> Vec<&'a str> {
        let text = |bytes| std::str::from_utf8(bytes).unwrap();
        self.all_bytes(number).map(text).collect()
    }

    pub fn text(&self, number: u64) -> &'a str {
        self.texts(number).first().copied().unwrap_or_default()
    }

    pub fn ints(&self, number: u64) -> Vec<i64> {
        let numbers = self.0.iter().filter_map(|(at, field)| match field {
            Field::Number(value) if *at == number => Some(*value),
            _ => None,
        });
        numbers.collect()
    }

    /// Reads a tensor's raw doubles.
    pub fn doubles(&self) -> Vec<f64> {
        let raw = self.all_bytes(9).next().unwrap_or_default();
        let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap());
        raw.chunks_exact(8).map(number).collect()
    }
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number of more than ten bytes")
}
