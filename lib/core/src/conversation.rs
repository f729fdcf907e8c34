//! Conversations: the turns of a prompt that is more than one text. In rows they are the column `messages`;
//! in templates, JSON.

use crate::contract::parse_type;
use crate::random::content_id;
use crate::{Error, Result};
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, NullBufferBuilder, StringBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One turn.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text.
    pub content: String,
}

impl Turn {
    /// A turn of the user.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: "user".into(), content: content.into() }
    }

    /// What the model is told before the conversation.
    pub fn system(content: impl Into<String>) -> Self {
        Self { role: "system".into(), content: content.into() }
    }
}

/// The conversation in a JSON list of `role` and `content`: known roles, no empty turn, the last one the
/// user's, since it is what the model is to answer. The error says what is wrong with it.
pub fn parse(json: &str) -> Result<Vec<Turn>, String> {
    let turns = parse_open(json)?;
    match turns.last() {
        Some(turn) if turn.role == "user" => Ok(turns),
        _ => Err("the last turn is not the user's".into()),
    }
}

/// The same, with any turn last: a guard model judges a conversation that the assistant ends.
pub fn parse_open(json: &str) -> Result<Vec<Turn>, String> {
    let turns: Vec<Turn> =
        serde_json::from_str(json).map_err(|error| format!("no JSON list of turns: {error}"))?;
    for (at, turn) in turns.iter().enumerate() {
        if !["system", "user", "assistant"].contains(&turn.role.as_str()) {
            return Err(format!("turn {at}: no role is called `{}`", turn.role));
        }
        if turn.content.trim().is_empty() {
            return Err(format!("turn {at} is empty"));
        }
    }
    Ok(turns)
}

/// The prompt_id of a conversation: of its turns as JSON, without spaces.
pub fn id(turns: &[Turn]) -> Result<String> {
    let json = serde_json::to_string(turns).map_err(|error| Error::data("messages", error))?;
    Ok(content_id(&json))
}

/// The turns of a cell of the column `messages`; an assistant's turn without text is one that the model
/// is to write.
pub fn turns(cell: &StructArray) -> Result<Vec<Turn>> {
    let text = |name: &str| cell.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
    let (roles, contents) = (text("role"), text("content"));
    (0..cell.len())
        .map(|turn| match (roles, contents) {
            (Some(roles), Some(contents)) if roles.is_valid(turn) && contents.is_valid(turn) => {
                Ok(Turn { role: roles.value(turn).into(), content: contents.value(turn).into() })
            }
            // Left to the model.
            (Some(roles), _) if roles.is_valid(turn) && roles.value(turn) == "assistant" => {
                Ok(Turn { role: roles.value(turn).into(), content: String::new() })
            }
            _ => Err(Error::data("the input", "a turn in `messages` has no role or no content")),
        })
        .collect()
}

/// The column `messages`.
pub fn column(cells: &[Option<Vec<Turn>>]) -> Result<ArrayRef> {
    let (mut roles, mut contents) = (StringBuilder::new(), StringBuilder::new());
    let mut valid = NullBufferBuilder::new(cells.len());
    for cell in cells {
        valid.append(cell.is_some());
        for turn in cell.iter().flatten() {
            roles.append_value(&turn.role);
            contents.append_value(&turn.content);
        }
    }
    let Some(DataType::List(item)) = parse_type("messages") else {
        return Err(Error::data("messages", "has no type"));
    };
    let DataType::Struct(fields) = item.data_type() else {
        return Err(Error::data("messages", "has another type"));
    };
    let parts: Vec<ArrayRef> = vec![Arc::new(roles.finish()), Arc::new(contents.finish())];
    let items = StructArray::try_new(fields.clone(), parts, None);
    let lengths = cells.iter().map(|cell| cell.as_ref().map_or(0, Vec::len));
    let column = items.and_then(|items| {
        let offsets = OffsetBuffer::from_lengths(lengths);
        ListArray::try_new(item, offsets, Arc::new(items), valid.finish())
    });
    Ok(Arc::new(column.map_err(|error| Error::data("messages", error))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_ends_with_the_user() {
        let good = r#"[{"role":"system","content":"s"},{"role":"user","content":"u"}]"#;
        assert_eq!(parse(good).unwrap(), [Turn::system("s"), Turn::user("u")]);
        for (json, what) in [
            ("[]", "the last turn is not the user's"),
            (r#"[{"role":"assistant","content":"a"}]"#, "the last turn is not the user's"),
            (r#"[{"role":"user","content":" "}]"#, "turn 0 is empty"),
            (r#"[{"role":"judge","content":"a"}]"#, "turn 0: no role is called `judge`"),
        ] {
            assert_eq!(parse(json).unwrap_err(), what);
        }
        assert!(parse("How?").unwrap_err().starts_with("no JSON list of turns"));
    }

    #[test]
    fn a_column_gives_back_its_turns() {
        let talk = vec![Turn::system("s"), Turn::user("u")];
        let column = column(&[None, Some(talk.clone()), None]).unwrap();
        let column = column.as_list::<i32>();
        assert!(column.is_null(0) && column.is_null(2));
        assert_eq!(turns(column.value(1).as_struct()).unwrap(), talk);
        // The id is that of the JSON text, which other tools can make as well.
        let json = r#"[{"role":"system","content":"s"},{"role":"user","content":"u"}]"#;
        assert_eq!(id(&talk).unwrap(), content_id(json));
    }
}
