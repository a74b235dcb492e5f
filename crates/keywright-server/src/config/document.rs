//! The configuration as written: file, environment and defaults laid over each other, each value
//! with the place that it came from.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::duration::{format_duration, parse_duration};
use super::error::{ConfigError, Origin, ValueError};
use super::setting::{self, Fallback, RESERVED_SECTIONS, ROOT, SECTIONS, Section};

const PREFIX: &str = "KEYWRIGHT_";
/// Variables of the tests, of CI and of commands: they are no settings.
const FOREIGN: [&str; 4] =
    ["KEYWRIGHT_BIN", "KEYWRIGHT_CLIENT_SECRET", "KEYWRIGHT_PASSWORD", "KEYWRIGHT_TOKEN"];
const FOREIGN_PREFIXES: [&str; 2] = ["KEYWRIGHT_CI_", "KEYWRIGHT_TEST_"];

/// An inline table whose values are texts, in the order of the file.
pub(super) type TextTable = Vec<(String, String)>;

/// A value, not yet judged.
#[derive(Clone, Debug)]
enum Value {
    Boolean(bool),
    Integer(i64),
    List(Vec<String>),
    /// Tables of texts.
    Tables(Vec<TextTable>),
    Text(String),
    /// From the environment, which knows no kinds.
    Untyped(String),
}

#[derive(Debug)]
struct Entry {
    value: Value,
    origin: Origin,
}

type Name = (&'static str, &'static str);

/// All settings that were written, by their names.
#[derive(Debug, Default)]
pub(super) struct Document {
    entries: BTreeMap<Name, Entry>,
}

impl Document {
    /// Reads a file's text and lays the environment over it.
    pub(super) fn parse(
        text: &str,
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut document = Self::default();
        document.read_file(&File { text, path })?;
        for (name, value) in environment {
            if is_setting(&name) {
                document.read_variable(name, value)?;
            }
        }
        Ok(document)
    }

    /// A setting that has a value, if only the default.
    pub(super) fn given(&self, section: &'static Section, name: &str) -> Given<'_> {
        let given = self.optional(section, name);
        given.expect("only settings without a default are optional")
    }

    /// A setting that may have no value.
    pub(super) fn optional(&self, section: &'static Section, name: &str) -> Option<Given<'_>> {
        let setting = section.setting(name).expect("the table lists every setting that is read");
        let full_name = section.full_name(setting.name);
        if let Some(entry) = self.entries.get(&(section.name, setting.name)) {
            let (value, origin) = (entry.value.clone(), &entry.origin);
            return Some(Given { name: full_name, value, origin });
        }
        let value = match setting.fallback {
            Fallback::EmptyList => Value::List(Vec::new()),
            Fallback::Integer(number) => Value::Integer(number),
            Fallback::No => Value::Boolean(false),
            Fallback::Text(text) => Value::Text(text.to_owned()),
            Fallback::Unset { .. } => return None,
        };
        Some(Given { name: full_name, value, origin: &Origin::Default })
    }

    fn read_file(&mut self, file: &File<'_>) -> Result<(), ConfigError> {
        let table = DeTable::parse(file.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let what = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            ConfigError::new(file.origin(at), what, "correct this line")
        })?;
        for (key, value) in table.get_ref() {
            let name = key.get_ref().as_ref();
            let origin = file.origin(key.span().start);
            let section = SECTIONS.iter().find(|section| section.name == name && !name.is_empty());
            match (section, value.get_ref()) {
                (Some(section), DeValue::Table(inner)) => {
                    self.read_table(file, section, inner)?;
                }
                (Some(_), _) => {
                    let what = format!("{name} is a table");
                    return Err(ConfigError::new(origin, what, format!("write [{name}]")));
                }
                (None, value) => self.insert_written(&ROOT, name, value, origin)?,
            }
        }
        Ok(())
    }

    fn read_table(
        &mut self,
        file: &File<'_>,
        section: &'static Section,
        table: &DeTable<'_>,
    ) -> Result<(), ConfigError> {
        for (key, value) in table {
            let origin = file.origin(key.span().start);
            self.insert_written(section, key.get_ref(), value.get_ref(), origin)?;
        }
        Ok(())
    }

    fn insert_written(
        &mut self,
        section: &'static Section,
        name: &str,
        value: &DeValue<'_>,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        let Some(setting) = section.setting(name) else {
            return Err(unknown_key(section, name, matches!(value, DeValue::Table(_)), origin));
        };
        let value = convert(value).ok_or_else(|| {
            let what = format!("{} cannot be a {}", section.full_name(name), value.type_str());
            ConfigError::new(origin.clone(), what, "see docs/reference/configuration.md")
        })?;
        self.entries.insert((section.name, setting.name), Entry { value, origin });
        Ok(())
    }

    fn read_variable(&mut self, variable: String, value: String) -> Result<(), ConfigError> {
        let found = setting::all().find(|(section, it)| section.variable(it.name) == variable);
        let Some((section, setting)) = found else {
            return Err(unknown_variable(&variable));
        };
        let entry = Entry { value: Value::Untyped(value), origin: Origin::Environment(variable) };
        self.entries.insert((section.name, setting.name), entry);
        Ok(())
    }
}

/// The text of a file, for line numbers.
struct File<'a> {
    text: &'a str,
    path: &'a Path,
}

impl File<'_> {
    fn origin(&self, at: usize) -> Origin {
        let before = self.text.as_bytes().iter().take(at);
        let line = before.filter(|byte| **byte == b'\n').count() + 1;
        Origin::File { path: self.path.to_owned(), line }
    }
}

/// One setting's value, and the words for what is wrong with it.
pub(super) struct Given<'a> {
    name: String,
    value: Value,
    origin: &'a Origin,
}

impl Given<'_> {
    /// Whether nobody wrote it.
    pub(super) fn is_default(&self) -> bool {
        *self.origin == Origin::Default
    }

    /// An error about this value.
    pub(super) fn refuse(&self, what: impl Display, remedy: impl Into<String>) -> ConfigError {
        ConfigError::new(self.origin.clone(), format!("{}: {what}", self.name), remedy)
    }

    pub(super) fn boolean(&self) -> Result<bool, ConfigError> {
        match &self.value {
            Value::Boolean(value) => Ok(*value),
            Value::Untyped(text) if text == "true" => Ok(true),
            Value::Untyped(text) if text == "false" => Ok(false),
            _ => Err(self.refuse("not a boolean", "write true or false")),
        }
    }

    /// A whole number between two bounds.
    pub(super) fn count<T>(&self, least: T, most: T) -> Result<T, ConfigError>
    where
        T: Copy + Display + PartialOrd + TryFrom<i64>,
    {
        let number = match &self.value {
            Value::Integer(number) => Some(*number),
            Value::Untyped(text) => text.parse().ok(),
            _ => None,
        };
        let count = number.and_then(|number| T::try_from(number).ok());
        count.filter(|count| (least..=most).contains(count)).ok_or_else(|| {
            let remedy = format!("write a whole number from {least} to {most}");
            self.refuse("not a number that is possible here", remedy)
        })
    }

    /// A length of time that is not too short.
    pub(super) fn duration(&self, least: Duration) -> Result<Duration, ConfigError> {
        let duration = self.parsed(parse_duration)?;
        if duration < least {
            let (given, least) = (format_duration(duration), format_duration(least));
            return Err(self.refuse(
                format!("{given:?} is below the least, {least:?}"),
                format!("write at least {least:?}"),
            ));
        }
        Ok(duration)
    }

    pub(super) fn list<T>(
        &self,
        parse: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, ConfigError> {
        let items: Vec<&str> = match &self.value {
            Value::List(items) => items.iter().map(String::as_str).collect(),
            Value::Untyped(text) => {
                text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
            }
            _ => return Err(self.refuse("not a list", "write a list of texts: [\"..\", \"..\"]")),
        };
        let parse = |item| parse(item).map_err(|error| self.refuse(error.what, error.remedy));
        items.into_iter().map(parse).collect()
    }

    /// A list of inline tables. The environment, which knows no tables, gives one text for each.
    pub(super) fn tables<T>(
        &self,
        parse_table: impl Fn(&TextTable) -> Result<T, ValueError>,
        parse_text: impl Fn(&str) -> Result<T, ValueError>,
    ) -> Result<Vec<T>, ConfigError> {
        match &self.value {
            Value::Tables(tables) => {
                let parse = |table| parse_table(table).map_err(|e| self.refuse(e.what, e.remedy));
                tables.iter().map(parse).collect()
            }
            Value::Untyped(_) => self.list(parse_text),
            Value::List(items) if items.is_empty() => Ok(Vec::new()),
            _ => Err(self.refuse("not a list of tables", "write [ { kind = \"..\" } ]")),
        }
    }

    pub(super) fn parsed<T>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, ValueError>,
    ) -> Result<T, ConfigError> {
        parse(self.text()?).map_err(|error| self.refuse(error.what, error.remedy))
    }

    pub(super) fn text(&self) -> Result<&str, ConfigError> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => Ok(text),
            _ => Err(self.refuse("not a text", "write it in quotation marks")),
        }
    }
}

fn convert(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::Boolean(value) => Value::Boolean(*value),
        DeValue::Integer(number) => {
            Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()?)
        }
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
            let tables = items.iter().map(|item| convert_table(item.get_ref()));
            Value::Tables(tables.collect::<Option<_>>()?)
        }
        DeValue::Array(items) => {
            let text = |item: &DeValue<'_>| item.as_str().map(str::to_owned);
            Value::List(items.iter().map(|item| text(item.get_ref())).collect::<Option<_>>()?)
        }
        DeValue::Datetime(_) | DeValue::Float(_) | DeValue::Table(_) => return None,
    })
}

fn convert_table(value: &DeValue<'_>) -> Option<TextTable> {
    let members = value.as_table()?.iter();
    let text = |value: &DeValue<'_>| value.as_str().map(str::to_owned);
    members.map(|(key, value)| Some((key.get_ref().to_string(), text(value.get_ref())?))).collect()
}

fn is_setting(variable: &str) -> bool {
    let foreign = FOREIGN.contains(&variable)
        || FOREIGN_PREFIXES.iter().any(|prefix| variable.starts_with(prefix));
    variable.starts_with(PREFIX) && !foreign
}

fn unknown_key(section: &Section, name: &str, is_table: bool, origin: Origin) -> ConfigError {
    let full = section.full_name(name);
    if section.reserved.contains(&name) || RESERVED_SECTIONS.contains(&full.as_str()) {
        return not_built(&full, origin);
    }
    if is_table && section.name.is_empty() {
        let known = SECTIONS.iter().filter(|section| !section.name.is_empty());
        let nearest = known.min_by_key(|section| setting::edits(name, section.name));
        let nearest = nearest.map_or("", |section| section.name);
        let what = format!("there is no table [{name}]");
        return ConfigError::new(origin, what, format!("the nearest is [{nearest}]"));
    }
    let (near, setting) = setting::nearest(&full);
    let what = format!("there is no setting {full}");
    ConfigError::new(origin, what, format!("the nearest is {}", near.full_name(setting.name)))
}

fn unknown_variable(variable: &str) -> ConfigError {
    let reserved = SECTIONS.iter().flat_map(|section| {
        section.reserved.iter().map(move |name| (section.variable(name), section.full_name(name)))
    });
    let matching = reserved.into_iter().find(|(reserved, _)| reserved == variable);
    let origin = Origin::Environment(variable.to_owned());
    if let Some((_, full)) = matching {
        return not_built(&full, origin);
    }
    let written = variable.strip_prefix(PREFIX).unwrap_or_default().to_ascii_lowercase();
    let (near, setting) = setting::nearest(&written.replace("__", "."));
    let nearest = near.variable(setting.name);
    let what = "no setting has this name";
    ConfigError::new(origin, what, format!("the nearest is {nearest}; unset what is not meant"))
}

fn not_built(full: &str, origin: Origin) -> ConfigError {
    let what = format!("{full} is not built in this version");
    ConfigError::new(origin, what, "take it out: it would have no effect")
}
