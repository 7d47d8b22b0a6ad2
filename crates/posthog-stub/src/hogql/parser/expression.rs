//! Operators by precedence, loosest first: or, and, not, comparisons, sums, products, unary minus, elements.

use super::{Parser, unexpected};
use crate::hogql::ast::{Expr, Operator};
use crate::hogql::error::QueryError;
use crate::hogql::keywords;
use crate::hogql::lexer::{Token, syntax};

type Parsed = Result<Expr, QueryError>;

const UNITS: [&str; 8] = [
    "second", "minute", "hour", "day", "week", "month", "quarter", "year",
];

impl Parser {
    pub(super) fn expression(&mut self) -> Parsed {
        let mut parts = vec![self.conjunction()?];
        while self.eat_word("or") {
            parts.push(self.conjunction()?);
        }
        Ok(single(parts, Expr::Or))
    }

    fn conjunction(&mut self) -> Parsed {
        let mut parts = vec![self.negation()?];
        while self.eat_word("and") {
            parts.push(self.negation()?);
        }
        Ok(single(parts, Expr::And))
    }

    fn negation(&mut self) -> Parsed {
        // `not(x)` is the same either way; `not in` belongs to the comparison.
        if self.eat_word("not") {
            Ok(Expr::Not(Box::new(self.negation()?)))
        } else {
            self.comparison()
        }
    }

    fn comparison(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            let negated = self.is_word("not")
                && matches!(self.peek_after(1), Token::Word(word) if ["in", "like", "ilike", "between"].iter().any(|known| word.eq_ignore_ascii_case(known)));
            self.at += usize::from(negated);
            left = if let Some(operator) = self.comparison_operator() {
                Expr::Binary(operator, Box::new(left), Box::new(self.sum()?))
            } else if self.eat_word("in") {
                self.membership(left, negated)?
            } else if self.is_word("like") || self.is_word("ilike") {
                let fold = self.is_word("ilike");
                self.at += 1;
                Expr::Like {
                    text: Box::new(left),
                    pattern: Box::new(self.sum()?),
                    fold,
                    negated,
                }
            } else if self.eat("=~") || self.is_symbol("!~") {
                let negated = self.eat("!~");
                Expr::Match {
                    text: Box::new(left),
                    pattern: Box::new(self.sum()?),
                    negated,
                }
            } else if self.eat_word("between") {
                self.between(left, negated)?
            } else if self.eat_word("is") {
                let negated = self.eat_word("not");
                self.expect_word("null")?;
                Expr::IsNull(Box::new(left), negated)
            } else {
                return Ok(left);
            };
        }
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(next) if *next == symbol)
    }

    fn comparison_operator(&mut self) -> Option<Operator> {
        let Token::Symbol(symbol) = self.peek() else {
            return None;
        };
        let operator = match *symbol {
            "=" | "==" => Operator::Equal,
            "!=" | "<>" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            _ => return None,
        };
        self.at += 1;
        Some(operator)
    }

    fn membership(&mut self, item: Expr, negated: bool) -> Parsed {
        let item = Box::new(item);
        if self.eat_word("cohort") {
            return Ok(Expr::InCohort {
                item,
                cohort: Box::new(self.sum()?),
                negated,
            });
        }
        Ok(Expr::In {
            item,
            set: Box::new(self.sum()?),
            negated,
        })
    }

    fn between(&mut self, item: Expr, negated: bool) -> Parsed {
        let low = self.sum()?;
        self.expect_word("and")?;
        let high = self.sum()?;
        let within = Expr::And(vec![
            Expr::Binary(
                Operator::GreaterOrEqual,
                Box::new(item.clone()),
                Box::new(low),
            ),
            Expr::Binary(Operator::LessOrEqual, Box::new(item), Box::new(high)),
        ]);
        Ok(if negated {
            Expr::Not(Box::new(within))
        } else {
            within
        })
    }

    fn sum(&mut self) -> Parsed {
        let mut left = self.product()?;
        loop {
            left = if self.eat("+") {
                Expr::Binary(Operator::Plus, Box::new(left), Box::new(self.product()?))
            } else if self.eat("-") {
                Expr::Binary(Operator::Minus, Box::new(left), Box::new(self.product()?))
            } else if self.eat("||") {
                Expr::Call {
                    name: "concat".to_owned(),
                    args: vec![left, self.product()?],
                    distinct: false,
                }
            } else {
                return Ok(left);
            };
        }
    }

    fn product(&mut self) -> Parsed {
        let mut left = self.unary()?;
        loop {
            let operator = if self.eat("*") {
                Operator::Multiply
            } else if self.eat("/") {
                Operator::Divide
            } else if self.eat("%") {
                Operator::Modulo
            } else {
                return Ok(left);
            };
            left = Expr::Binary(operator, Box::new(left), Box::new(self.unary()?));
        }
    }

    fn unary(&mut self) -> Parsed {
        if self.eat("-") {
            Ok(Expr::Negate(Box::new(self.unary()?)))
        } else {
            self.element()
        }
    }

    fn element(&mut self) -> Parsed {
        let mut expr = self.primary()?;
        loop {
            if self.eat("[") {
                expr = Expr::Element(Box::new(expr), Box::new(self.expression()?));
                self.expect("]")?;
            } else if self.is_symbol(".") && matches!(self.peek_after(1), Token::Number(_)) {
                self.at += 1;
                let Token::Number(index) = self.next() else {
                    return Err(unexpected(self.peek()));
                };
                expr = Expr::Element(Box::new(expr), Box::new(Expr::Number(index)));
            } else {
                return Ok(expr);
            }
        }
    }

    fn primary(&mut self) -> Parsed {
        match self.next() {
            Token::Number(text) => Ok(Expr::Number(text)),
            Token::Text(text) => Ok(Expr::Text(text)),
            Token::Placeholder(name) => Ok(Expr::Placeholder(name)),
            Token::Symbol("(") => self.parenthesised(),
            Token::Symbol("[") => {
                let items = if self.is_symbol("]") {
                    Vec::new()
                } else {
                    self.list()?
                };
                self.expect("]")?;
                Ok(Expr::Array(items))
            }
            Token::Symbol("*") => Ok(Expr::Star),
            Token::Quoted(name) => self.field(name),
            Token::Word(word) => self.word(word),
            token => Err(unexpected(&token)),
        }
    }

    fn parenthesised(&mut self) -> Parsed {
        if self.is_word("select") {
            let query = self.select()?;
            self.expect(")")?;
            return Ok(Expr::Subquery(Box::new(query)));
        }
        let mut items = self.list()?;
        let tuple = items.len() > 1 || self.eat(",");
        self.expect(")")?;
        match items.pop() {
            Some(only) if !tuple => Ok(only),
            last => {
                items.extend(last);
                Ok(Expr::Tuple(items))
            }
        }
    }

    fn word(&mut self, word: String) -> Parsed {
        let call = self.is_symbol("(");
        if call && !keywords::reserved(&word) {
            return self.call(word);
        }
        match word.to_ascii_lowercase().as_str() {
            "null" => Ok(Expr::Null),
            "true" => Ok(Expr::Bool(true)),
            "false" => Ok(Expr::Bool(false)),
            "case" => self.case(),
            "interval" => self.interval(),
            lower if keywords::reserved(lower) => Err(unexpected(&Token::Word(word))),
            _ => self.field(word),
        }
    }

    fn field(&mut self, first: String) -> Parsed {
        let mut path = vec![first];
        while self.is_symbol(".") {
            match self.peek_after(1).clone() {
                // After a dot even a keyword is a name.
                Token::Word(name) | Token::Quoted(name) => path.push(name),
                Token::Number(_) if path.len() == 1 => break,
                Token::Number(index) => path.push(index),
                token => return Err(unexpected(&token)),
            }
            self.at += 2;
        }
        Ok(Expr::Field(path))
    }

    fn call(&mut self, name: String) -> Parsed {
        self.expect("(")?;
        let distinct = self.eat_word("distinct");
        let mut args = if self.is_symbol(")") {
            Vec::new()
        } else {
            self.list()?
        };
        self.expect(")")?;
        if args == [Expr::Star] {
            args.clear();
        }
        Ok(Expr::Call {
            name,
            args,
            distinct,
        })
    }

    fn case(&mut self) -> Parsed {
        let subject = if self.is_word("when") {
            None
        } else {
            Some(self.expression()?)
        };
        let mut branches = Vec::new();
        while self.eat_word("when") {
            let mut when = self.expression()?;
            if let Some(subject) = &subject {
                when = Expr::Binary(Operator::Equal, Box::new(subject.clone()), Box::new(when));
            }
            self.expect_word("then")?;
            branches.push((when, self.expression()?));
        }
        let otherwise = if self.eat_word("else") {
            Some(Box::new(self.expression()?))
        } else {
            None
        };
        self.expect_word("end")?;
        Ok(Expr::Case {
            branches,
            otherwise,
        })
    }

    fn interval(&mut self) -> Parsed {
        if let Token::Text(text) = self.peek().clone() {
            self.at += 1;
            let (count, unit) = text
                .trim()
                .split_once(' ')
                .ok_or_else(|| syntax("malformed interval"))?;
            return interval_of(Expr::Number(count.to_owned()), unit);
        }
        let count = self.sum()?;
        let Token::Word(unit) = self.next() else {
            return Err(syntax("malformed interval"));
        };
        interval_of(count, &unit)
    }
}

fn interval_of(count: Expr, unit: &str) -> Parsed {
    let unit = unit.trim().to_ascii_lowercase();
    let unit = unit.strip_suffix('s').unwrap_or(&unit);
    if !UNITS.contains(&unit) {
        return Err(syntax(&format!("unknown interval unit {unit}")));
    }
    let (first, rest) = unit.split_at(1);
    let name = format!("toInterval{}{rest}", first.to_uppercase());
    Ok(Expr::Call {
        name,
        args: vec![count],
        distinct: false,
    })
}

fn single(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        last => {
            parts.extend(last);
            many(parts)
        }
    }
}
