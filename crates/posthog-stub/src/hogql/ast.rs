//! The syntax tree.

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Plus,
    Minus,
    Multiply,
    Divide,
    Modulo,
}

/// An expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Placeholder(String),
    /// A name and what is taken of it: `properties.a.b`, `e.event`.
    Field(Vec<String>),
    Star,
    Call {
        name: String,
        args: Vec<Expr>,
        distinct: bool,
    },
    Binary(Operator, Box<Expr>, Box<Expr>),
    Negate(Box<Expr>),
    Not(Box<Expr>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    In {
        item: Box<Expr>,
        set: Box<Expr>,
        negated: bool,
    },
    InCohort {
        item: Box<Expr>,
        cohort: Box<Expr>,
        negated: bool,
    },
    Like {
        text: Box<Expr>,
        pattern: Box<Expr>,
        fold: bool,
        negated: bool,
    },
    Match {
        text: Box<Expr>,
        pattern: Box<Expr>,
        negated: bool,
    },
    IsNull(Box<Expr>, bool),
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Tuple(Vec<Expr>),
    Array(Vec<Expr>),
    /// An element of an array or a tuple, counted from 1.
    Element(Box<Expr>, Box<Expr>),
    Subquery(Box<Select>),
}

/// A column of a select list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Item {
    pub(crate) expr: Expr,
    pub(crate) alias: Option<String>,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum From {
    Nothing,
    Table {
        name: String,
        alias: Option<String>,
    },
    Subquery {
        query: Box<Select>,
        alias: Option<String>,
    },
}

/// One key of ORDER BY.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) expr: Expr,
    pub(crate) descending: bool,
    /// NULLs go last unless asked otherwise, whatever the direction.
    pub(crate) nulls_first: bool,
}

/// A query.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Select {
    pub(crate) distinct: bool,
    pub(crate) items: Vec<Item>,
    pub(crate) from: From,
    pub(crate) filter: Option<Expr>,
    pub(crate) group: Vec<Expr>,
    pub(crate) having: Option<Expr>,
    pub(crate) order: Vec<Order>,
    pub(crate) limit_by: Option<(Expr, Vec<Expr>)>,
    pub(crate) limit: Option<Expr>,
    pub(crate) offset: bool,
}

impl Select {
    /// Whether an OFFSET occurs here or in any subquery.
    pub(crate) fn uses_offset(&self) -> bool {
        let from = match &self.from {
            From::Subquery { query, .. } => query.uses_offset(),
            From::Nothing | From::Table { .. } => false,
        };
        let mut nested = false;
        let mut look = |expr: &Expr| {
            expr.visit(&mut |part| {
                if let Expr::Subquery(query) = part {
                    nested |= query.uses_offset();
                }
            });
        };
        self.items.iter().for_each(|item| look(&item.expr));
        self.filter
            .iter()
            .chain(&self.having)
            .chain(&self.group)
            .for_each(&mut look);
        self.offset || from || nested
    }
}

impl Expr {
    /// Shows `see` this expression and every part of it, not entering subqueries.
    pub(crate) fn visit(&self, see: &mut dyn FnMut(&Self)) {
        see(self);
        match self {
            Self::Null
            | Self::Bool(_)
            | Self::Number(_)
            | Self::Text(_)
            | Self::Placeholder(_)
            | Self::Field(_)
            | Self::Star
            | Self::Subquery(_) => {}
            Self::Call { args: parts, .. }
            | Self::And(parts)
            | Self::Or(parts)
            | Self::Tuple(parts)
            | Self::Array(parts) => {
                parts.iter().for_each(|part| part.visit(see));
            }
            Self::Negate(part) | Self::Not(part) | Self::IsNull(part, _) => part.visit(see),
            Self::Binary(_, one, two)
            | Self::In {
                item: one,
                set: two,
                ..
            }
            | Self::InCohort {
                item: one,
                cohort: two,
                ..
            }
            | Self::Like {
                text: one,
                pattern: two,
                ..
            }
            | Self::Match {
                text: one,
                pattern: two,
                ..
            }
            | Self::Element(one, two) => {
                one.visit(see);
                two.visit(see);
            }
            Self::Case {
                branches,
                otherwise,
            } => {
                for (when, then) in branches {
                    when.visit(see);
                    then.visit(see);
                }
                if let Some(otherwise) = otherwise {
                    otherwise.visit(see);
                }
            }
        }
    }
}
