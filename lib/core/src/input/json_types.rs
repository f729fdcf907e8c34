//! Types of JSON values, found by reading all of them: a type guessed from the first rows would make a
//! later row an error, or another value. What has no single type is kept as JSON text.

use crate::plain::list_of;
use arrow::datatypes::{DataType, Field, Schema};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Whole numbers beyond this are not exact as a Float64.
const EXACT_FLOAT: u64 = 1 << 53;

/// What has been seen at one place of the rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Kind {
    /// Nothing, or null.
    #[default]
    Null,
    Bool,
    /// `wide`: some value is not exact as a float.
    Int {
        wide: bool,
    },
    Float,
    Text,
    /// Scalars of several types: kept as text, each as it is written.
    Scalars,
    List(Box<Kind>),
    Object(Vec<Member>),
    /// Containers and scalars at the same place: kept as JSON text.
    Json,
}

/// A key of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    pub name: String,
    pub kind: Kind,
    /// The object this key was last seen in: twice in one is an error, since one value would be lost.
    seen: u64,
}

/// Merges one JSON value into a [`Kind`] as it is parsed.
pub struct Observe<'a> {
    pub kind: &'a mut Kind,
    /// Numbers the objects.
    pub objects: &'a mut u64,
}

impl<'de> DeserializeSeed<'de> for Observe<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Observe<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.kind.meet(Kind::Bool);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.kind.meet(Kind::Int { wide: value.unsigned_abs() > EXACT_FLOAT });
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        // Beyond Int64 the digits are kept as text.
        self.kind.meet(match i64::try_from(value) {
            Ok(_) => Kind::Int { wide: value > EXACT_FLOAT },
            Err(_) => Kind::Scalars,
        });
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        // A whole number beyond 64 bits comes as a float here; its digits are kept as text.
        let whole = value.fract() == 0.0 && value.abs() >= u64::MAX as f64;
        self.kind.meet(if whole { Kind::Scalars } else { Kind::Float });
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        self.kind.meet(Kind::Text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.kind.meet(Kind::List(Box::default()));
        let mut aside = Kind::Null;
        let kind = match self.kind {
            Kind::List(item) => item.as_mut(),
            _ => &mut aside,
        };
        while items.next_element_seed(Observe { kind, objects: self.objects })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        *self.objects += 1;
        let object = *self.objects;
        self.kind.meet(Kind::Object(Vec::new()));
        let mut aside = Vec::new();
        let known = match self.kind {
            Kind::Object(members) => members,
            _ => &mut aside,
        };
        // Keys mostly come in the order of the row before.
        let mut expected = 0;
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            let here = known.get(expected).is_some_and(|member| member.name == name);
            let index = match here {
                true => expected,
                false => known.iter().position(|member| member.name == name).unwrap_or_else(|| {
                    known.push(Member { name: name.to_string(), kind: Kind::Null, seen: 0 });
                    known.len() - 1
                }),
            };
            expected = index + 1;
            let member = &mut known[index];
            if member.seen == object {
                return Err(A::Error::custom(format!(
                    "the key `{name}` stands twice in one object"
                )));
            }
            member.seen = object;
            members.next_value_seed(Observe { kind: &mut member.kind, objects: self.objects })?;
        }
        Ok(())
    }
}

impl Kind {
    /// Widens this kind so that it also holds `other`.
    fn meet(&mut self, other: Kind) {
        let merged = match (&*self, other) {
            (_, Kind::Null) => return,
            (Kind::Null, other) => other,
            (Kind::Json, _) | (_, Kind::Json) => Kind::Json,
            (Kind::List(_), Kind::List(_)) | (Kind::Object(_), Kind::Object(_)) => return,
            (Kind::List(_) | Kind::Object(_), _) | (_, Kind::List(_) | Kind::Object(_)) => {
                Kind::Json
            }
            (Kind::Int { wide: a }, Kind::Int { wide: b }) => Kind::Int { wide: *a || b },
            (Kind::Int { wide: false }, Kind::Float) | (Kind::Float, Kind::Int { wide: false }) => {
                Kind::Float
            }
            (same, other) if *same == other => return,
            _ => Kind::Scalars,
        };
        *self = merged;
    }

    /// The Arrow type; `Null` stays untyped so that another file can decide.
    fn data_type(&self) -> DataType {
        match self {
            Kind::Null => DataType::Null,
            Kind::Bool => DataType::Boolean,
            Kind::Int { .. } => DataType::Int64,
            Kind::Float => DataType::Float64,
            Kind::Text | Kind::Scalars | Kind::Json => DataType::Utf8,
            Kind::List(item) => list_of(item.inner_type()),
            Kind::Object(members) if members.is_empty() => DataType::Utf8,
            Kind::Object(members) => DataType::Struct(
                members.iter().map(|m| Field::new(&m.name, m.kind.inner_type(), true)).collect(),
            ),
        }
    }

    fn inner_type(&self) -> DataType {
        match self.data_type() {
            DataType::Null => DataType::Utf8,
            other => other,
        }
    }

    /// The columns of rows of this kind.
    pub fn schema(&self) -> Schema {
        let members = match self {
            Kind::Object(members) => members.as_slice(),
            _ => &[],
        };
        let field =
            |member: &Member| Arc::new(Field::new(&member.name, member.kind.data_type(), true));
        Schema::new(members.iter().map(field).collect::<Vec<_>>())
    }

    /// Whether some value must be rewritten as JSON text before it fits its column.
    pub fn has_json_text(&self) -> bool {
        match self {
            Kind::Json => true,
            Kind::List(item) => item.has_json_text(),
            Kind::Object(members) => {
                members.is_empty() || members.iter().any(|member| member.kind.has_json_text())
            }
            _ => false,
        }
    }

    /// Rewrites the values that are kept as JSON text.
    pub fn to_text(&self, value: &mut Value) {
        match (self, value) {
            (_, Value::Null) => {}
            (Kind::Json, value) => *value = Value::String(value.to_string()),
            (Kind::Object(members), value) if members.is_empty() => {
                *value = Value::String(value.to_string());
            }
            (Kind::List(item), Value::Array(items)) => {
                items.iter_mut().for_each(|v| item.to_text(v))
            }
            (Kind::Object(members), Value::Object(object)) => {
                for member in members {
                    if let Some(value) = object.get_mut(&member.name) {
                        member.kind.to_text(value);
                    }
                }
            }
            _ => {}
        }
    }
}
