//! Text to tokens. Names may hold `$`; backquotes and double quotes quote names; `{name}` is a placeholder.

use super::error::QueryError;

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name or a keyword, as written.
    Word(String),
    /// A quoted name, never a keyword.
    Quoted(String),
    Text(String),
    Number(String),
    Placeholder(String),
    Symbol(&'static str),
    End,
}

/// Longest first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 27] = [
    "!=", "<>", "<=", ">=", "==", "||", "::", "=~", "!~", "->", "(", ")", "[", "]", ",", ".", "+",
    "-", "*", "/", "%", "=", "<", ">", ";", "?", ":",
];

/// All tokens of a text, `End` last.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { rest: text };
    let mut all = Vec::new();
    loop {
        let token = lexer.next()?;
        let done = token == Token::End;
        all.push(token);
        if done {
            return Ok(all);
        }
    }
}

struct Lexer<'t> {
    rest: &'t str,
}

impl Lexer<'_> {
    fn next(&mut self) -> Result<Token, QueryError> {
        self.skip_blank()?;
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        match first {
            'a'..='z' | 'A'..='Z' | '_' | '$' => Ok(Token::Word(self.take_while(is_word))),
            '0'..='9' => Ok(self.number()),
            '\'' => self.quoted('\'').map(Token::Text),
            '`' | '"' => self.quoted(first).map(Token::Quoted),
            '{' => self.placeholder(),
            _ => self.symbol(first),
        }
    }

    fn skip_blank(&mut self) -> Result<(), QueryError> {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("--") {
                self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
            } else if let Some(comment) = self.rest.strip_prefix("/*") {
                let end = comment.split_once("*/");
                self.rest = end
                    .map(|(_, rest)| rest)
                    .ok_or_else(|| syntax("unterminated comment"))?;
            } else {
                return Ok(());
            }
        }
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> String {
        let end = self
            .rest
            .find(|character| !keep(character))
            .unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(end);
        self.rest = rest;
        head.to_owned()
    }

    fn number(&mut self) -> Token {
        let mut text = self.take_while(|character| character.is_ascii_digit());
        if let Some(rest) = self.rest.strip_prefix('.')
            && rest.starts_with(|character: char| character.is_ascii_digit())
        {
            self.rest = rest;
            text.push('.');
            text.push_str(&self.take_while(|character| character.is_ascii_digit()));
        }
        if let Some(rest) = self.rest.strip_prefix(['e', 'E'])
            && rest.starts_with(|character: char| character.is_ascii_digit() || character == '-')
        {
            self.rest = rest;
            text.push('e');
            text.push_str(
                &self.take_while(|character| character.is_ascii_digit() || character == '-'),
            );
        }
        Token::Number(text)
    }

    fn quoted(&mut self, quote: char) -> Result<String, QueryError> {
        let mut text = String::new();
        let mut characters = self.rest.char_indices().skip(1).peekable();
        while let Some((at, character)) = characters.next() {
            if character == quote {
                if characters.peek().is_some_and(|(_, next)| *next == quote) {
                    characters.next();
                    text.push(quote);
                    continue;
                }
                self.rest = self.rest.get(at + quote.len_utf8()..).unwrap_or_default();
                return Ok(text);
            }
            if character == '\\' {
                let Some((_, escaped)) = characters.next() else {
                    break;
                };
                text.push(unescape(escaped));
            } else {
                text.push(character);
            }
        }
        Err(syntax("unterminated quoted text"))
    }

    fn placeholder(&mut self) -> Result<Token, QueryError> {
        let inner = self.rest.strip_prefix('{').unwrap_or_default();
        let (name, rest) = inner
            .split_once('}')
            .ok_or_else(|| syntax("unterminated placeholder"))?;
        let name = name.trim();
        if name.is_empty() || !name.chars().all(is_word) {
            return Err(syntax(&format!("unsupported placeholder {{{name}}}")));
        }
        self.rest = rest;
        Ok(Token::Placeholder(name.to_owned()))
    }

    fn symbol(&mut self, first: char) -> Result<Token, QueryError> {
        let symbol = SYMBOLS
            .iter()
            .find(|symbol| self.rest.starts_with(**symbol))
            .copied();
        let symbol =
            symbol.ok_or_else(|| syntax(&format!("token recognition error at: '{first}'")))?;
        self.rest = self.rest.get(symbol.len()..).unwrap_or_default();
        if symbol == "<"
            && self
                .rest
                .starts_with(|next: char| next.is_ascii_alphabetic() || next == '_')
        {
            // HogQL takes `<name` for the beginning of a tag.
            return Err(syntax("a tag begins after '<'"));
        }
        Ok(Token::Symbol(symbol))
    }
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == '$'
}

fn unescape(escaped: char) -> char {
    match escaped {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        '0' => '\0',
        'b' => '\u{8}',
        'f' => '\u{c}',
        other => other,
    }
}

/// A syntax error.
pub(crate) fn syntax(what: &str) -> QueryError {
    QueryError::invalid(format!("Syntax error: {what}"))
}
