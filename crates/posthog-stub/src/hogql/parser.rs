//! Tokens to a syntax tree: this file holds the cursor and the clauses, `expression` the operators.

mod expression;

use super::ast::{Expr, From, Item, Order, Select};
use super::error::QueryError;
use super::keywords;
use super::lexer::{self, Token, syntax};

/// Parses one query.
pub(crate) fn parse(text: &str) -> Result<Select, QueryError> {
    let mut parser = Parser {
        tokens: lexer::tokens(text)?,
        at: 0,
    };
    let query = parser.select()?;
    parser.eat(";");
    match parser.peek() {
        Token::End => Ok(query),
        token => Err(unexpected(token)),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

fn unexpected(token: &Token) -> QueryError {
    let shown = match token {
        Token::Word(text)
        | Token::Quoted(text)
        | Token::Text(text)
        | Token::Number(text)
        | Token::Placeholder(text) => text,
        Token::Symbol(symbol) => *symbol,
        Token::End => "<EOF>",
    };
    syntax(&format!("mismatched input '{shown}'"))
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn peek_after(&self, steps: usize) -> &Token {
        self.tokens.get(self.at + steps).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Takes a symbol if it comes next.
    fn eat(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(next) if *next == symbol);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, symbol: &str) -> Result<(), QueryError> {
        if self.eat(symbol) {
            Ok(())
        } else {
            Err(unexpected(self.peek()))
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(next) if next.eq_ignore_ascii_case(word))
    }

    /// Takes a keyword if it comes next.
    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), QueryError> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(unexpected(self.peek()))
        }
    }

    /// A name; keywords only when quoted.
    fn name(&mut self) -> Result<String, QueryError> {
        match self.next() {
            Token::Quoted(name) => Ok(name),
            Token::Word(name) if !keywords::reserved(&name) => Ok(name),
            token => Err(unexpected(&token)),
        }
    }

    fn list(&mut self) -> Result<Vec<Expr>, QueryError> {
        let mut list = vec![self.expression()?];
        while self.eat(",") {
            list.push(self.expression()?);
        }
        Ok(list)
    }

    fn select(&mut self) -> Result<Select, QueryError> {
        self.expect_word("select")?;
        let distinct = self.eat_word("distinct");
        let mut items = vec![self.item()?];
        while self.eat(",") {
            items.push(self.item()?);
        }
        let from = if self.eat_word("from") {
            self.from()?
        } else {
            From::Nothing
        };
        let filter = if self.eat_word("prewhere") || self.eat_word("where") {
            Some(self.expression()?)
        } else {
            None
        };
        let mut group = Vec::new();
        if self.eat_word("group") {
            self.expect_word("by")?;
            group = self.list()?;
        }
        let having = if self.eat_word("having") {
            Some(self.expression()?)
        } else {
            None
        };
        let mut order = Vec::new();
        if self.eat_word("order") {
            self.expect_word("by")?;
            order.push(self.order()?);
            while self.eat(",") {
                order.push(self.order()?);
            }
        }
        let mut query = Select {
            distinct,
            items,
            from,
            filter,
            group,
            having,
            order,
            limit_by: None,
            limit: None,
            offset: false,
        };
        self.limits(&mut query)?;
        Ok(query)
    }

    fn limits(&mut self, query: &mut Select) -> Result<(), QueryError> {
        loop {
            if self.eat_word("limit") {
                let count = self.expression()?;
                if self.eat(",") {
                    query.offset = true;
                    query.limit = Some(self.expression()?);
                } else {
                    if self.eat_word("offset") {
                        query.offset = true;
                        self.expression()?;
                    }
                    if self.eat_word("by") {
                        query.limit_by = Some((count, self.list()?));
                    } else {
                        query.limit = Some(count);
                    }
                }
            } else if self.eat_word("offset") {
                query.offset = true;
                self.expression()?;
            } else {
                return Ok(());
            }
        }
    }

    fn item(&mut self) -> Result<Item, QueryError> {
        if self.eat("*") {
            return Ok(Item {
                expr: Expr::Star,
                alias: None,
            });
        }
        let expr = self.expression()?;
        let alias = if self.eat_word("as") {
            Some(self.name()?)
        } else {
            None
        };
        Ok(Item { expr, alias })
    }

    fn from(&mut self) -> Result<From, QueryError> {
        let from = if self.eat("(") {
            let query = Box::new(self.select()?);
            self.expect(")")?;
            From::Subquery {
                query,
                alias: self.table_alias()?,
            }
        } else {
            let name = self.name()?;
            From::Table {
                name,
                alias: self.table_alias()?,
            }
        };
        for word in ["join", "inner", "left", "right", "full", "cross", "union"] {
            if self.is_word(word) {
                return Err(syntax(&format!(
                    "the stand-in does not support {}",
                    word.to_uppercase()
                )));
            }
        }
        self.eat_word("final");
        Ok(from)
    }

    fn table_alias(&mut self) -> Result<Option<String>, QueryError> {
        if self.eat_word("as") {
            return self.name().map(Some);
        }
        match self.peek() {
            Token::Word(word)
                if !keywords::reserved(word) && !word.eq_ignore_ascii_case("final") =>
            {
                self.name().map(Some)
            }
            Token::Quoted(_) => self.name().map(Some),
            _ => Ok(None),
        }
    }

    fn order(&mut self) -> Result<Order, QueryError> {
        let expr = self.expression()?;
        let descending = self.eat_word("desc") || self.eat_word("descending");
        if !descending {
            self.eat_word("asc");
        }
        let mut nulls_first = false;
        if self.eat_word("nulls") {
            nulls_first = self.eat_word("first");
            if !nulls_first {
                self.expect_word("last")?;
            }
        }
        Ok(Order {
            expr,
            descending,
            nulls_first,
        })
    }
}
