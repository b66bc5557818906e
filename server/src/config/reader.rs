//! `Reader`: takes settings one by one and keeps every mistake.

use std::fmt;
use std::str::FromStr;

use super::mistakes::{Mistake, Mistakes};
use super::settings::{Found, SETTINGS, Setting, Settings};

/// Reads settings; whatever is wrong is kept for the end, so that one start shows it all.
pub(super) struct Reader<'s> {
    settings: &'s Settings,
    mistakes: Vec<Mistake>,
}

impl<'s> Reader<'s> {
    pub(super) fn new(settings: &'s Settings) -> Reader<'s> {
        Reader { settings, mistakes: Vec::new() }
    }

    pub(super) fn settings(&self) -> &'s Settings {
        self.settings
    }

    /// What was read, if there was no mistake.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Mistakes> {
        match read {
            Some(read) if self.mistakes.is_empty() => Ok(read),
            _ => Err(Mistakes(self.mistakes)),
        }
    }

    pub(super) fn note(&mut self, mistake: Mistake) {
        self.mistakes.push(mistake);
    }

    /// The value of a setting under any of its names; two names with two values are a mistake.
    pub(super) fn found(&mut self, name: &str) -> Option<Found> {
        let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
        let mut first: Option<Found> = None;
        for name in setting.names() {
            let found = if setting.is_secret { self.found_secret(name) } else { self.settings.get(name) };
            match (&first, found) {
                (None, found) => first = found,
                (Some(one), Some(other)) if one.value != other.value => {
                    self.note(Mistake::both(&one.name, &other.name));
                }
                _ => {}
            }
        }
        first
    }

    fn found_secret(&mut self, name: &str) -> Option<Found> {
        let in_file = self.settings.secret_file(name);
        let in_file = in_file.unwrap_or_else(|mistake| {
            self.mistakes.push(mistake);
            None
        });
        in_file.or_else(|| self.settings.get(name))
    }

    /// Whether a setting has a value under any of its names.
    pub(super) fn is_set(&self, name: &str) -> bool {
        let setting = SETTINGS.iter().find(|setting| setting.name == name);
        let mut names = setting.into_iter().flat_map(Setting::names);
        names.any(|name| {
            self.settings.get(name).is_some() || self.settings.get(&format!("{name}_FILE")).is_some()
        })
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        Some(self.found(name)?.value)
    }

    /// One of these words, in any case; the first is the default.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let Some(found) = self.found(name) else { return words.first().map(|(_, meaning)| *meaning) };
        let known = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&found.value));
        if known.is_none() {
            let list: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.note(Mistake::new(
                &found.name,
                list.join(" or "),
                format_args!("{:?}", found.value),
                "write one of these words",
            ));
        }
        known.map(|(_, meaning)| *meaning)
    }

    /// What `parse` makes of the value; its error says what was expected.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let found = self.found(name)?;
        parse(&found.value).map_err(|error| self.note(Mistake::described(&found.name, error))).ok()
    }

    /// A number within bounds.
    pub(super) fn number<T>(&mut self, name: &str, default: T, least: T, most: T) -> Option<T>
    where
        T: FromStr + PartialOrd + Copy + fmt::Display,
    {
        let Some(found) = self.found(name) else { return Some(default) };
        let number = found.value.parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let expected = format!("a number from {least} to {most}");
            self.note(Mistake::new(
                &found.name,
                expected,
                format_args!("{:?}", found.value),
                "change the number",
            ));
        }
        number
    }

    /// A list: separated by commas, or a JSON array of strings.
    pub(super) fn list(&mut self, name: &str) -> Vec<String> {
        let Some(found) = self.found(name) else { return Vec::new() };
        if !found.value.starts_with('[') {
            let items = found.value.split(',').map(str::trim).filter(|item| !item.is_empty());
            return items.map(str::to_owned).collect();
        }
        serde_json::from_str(&found.value).unwrap_or_else(|error| {
            let expected = r#"a list such as https://a.example,https://b.example or ["https://a.example"]"#;
            self.note(Mistake::new(
                &found.name,
                expected,
                error,
                "close brackets and quotes, or use commas alone",
            ));
            Vec::new()
        })
    }

    /// A list whose every item is parsed.
    pub(super) fn list_of<T, E: fmt::Display>(
        &mut self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let items = self.list(name);
        let mut parsed = Vec::with_capacity(items.len());
        for item in items {
            match parse(&item) {
                Ok(value) => parsed.push(value),
                Err(error) => self.note(Mistake::described(name, error)),
            }
        }
        parsed
    }
}
