//! `Pairs`: named texts, as JavaScript writes them into memory. For each the two lengths in four bytes, little end
//! first, then name and value.

/// What is left to read.
#[derive(Clone, Copy)]
pub(crate) struct Pairs<'a>(pub(crate) &'a [u8]);

impl<'a> Pairs<'a> {
    /// The value of this name, the first if there are several.
    pub(crate) fn get(mut self, name: &str) -> Option<&'a str> {
        self.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All values of this name.
    pub(crate) fn all(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.filter(move |(known, _)| *known == name).map(|(_, value)| value)
    }

    fn number(&mut self) -> Option<usize> {
        let (number, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        usize::try_from(u32::from_le_bytes(*number)).ok()
    }

    fn text(&mut self, length: usize) -> Option<&'a str> {
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        let (name, value) = (self.number()?, self.number()?);
        Some((self.text(name)?, self.text(value)?))
    }
}
