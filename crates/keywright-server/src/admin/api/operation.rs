//! One row of the API's table.

use std::pin::Pin;

use axum::routing::MethodFilter;
use serde_json::Value;

use super::call::Call;
use super::problem::Problem;

/// What can be done at a path.
pub(super) struct Operation {
    /// How.
    pub(super) method: Method,
    /// Where, below the base; names of captures in braces.
    pub(super) path: &'static str,
    /// Its name in the description.
    pub(super) id: &'static str,
    /// What it does.
    pub(super) summary: &'static str,
    /// What may stand in the query.
    pub(super) query: &'static [Parameter],
    /// What stands in the body.
    pub(super) body: RequestBody,
    /// What comes back.
    pub(super) answer: Answer,
    /// Whose tokens may ask for it.
    pub(super) reach: Reach,
    /// The act itself.
    pub(super) act: Act,
}

impl Operation {
    /// Reads something.
    pub(super) const fn get(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        answer: Answer,
        act: Act,
    ) -> Self {
        let (query, body, reach): (&[Parameter], _, _) = (&[], RequestBody::None, Reach::OwnTenant);
        Self { method: Method::Get, path, id, summary, query, body, answer, reach, act }
    }

    /// Does something.
    pub(super) const fn post(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        answer: Answer,
        act: Act,
    ) -> Self {
        Self::get(path, id, summary, answer, act).by(Method::Post)
    }

    /// Deletes or takes back something.
    pub(super) const fn delete(
        path: &'static str,
        id: &'static str,
        summary: &'static str,
        act: Act,
    ) -> Self {
        Self::get(path, id, summary, Answer::Nothing, act).by(Method::Delete)
    }

    /// The operation by another method.
    pub(super) const fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }

    /// The operation with what may stand in its query.
    pub(super) const fn asking(self, query: &'static [Parameter]) -> Self {
        Self { query, ..self }
    }

    /// The operation with what stands in its body.
    pub(super) const fn taking(self, body: RequestBody) -> Self {
        Self { body, ..self }
    }

    /// The operation, about all tenants.
    pub(super) const fn of_all_tenants(self) -> Self {
        Self { reach: Reach::AllTenants, ..self }
    }
}

/// An act: reads the call, carries it out.
pub(super) type Act = for<'a> fn(&'a Call) -> Acting<'a>;
/// An act under way.
pub(super) type Acting<'a> = Pin<Box<dyn Future<Output = Result<Reply, Problem>> + Send + 'a>>;

/// The methods that the API uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    Delete,
    Get,
    Patch,
    Post,
    Put,
}

impl Method {
    /// Its name; reading includes `HEAD`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Get => "GET, HEAD",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }

    pub(super) const fn filter(self) -> MethodFilter {
        match self {
            Self::Delete => MethodFilter::DELETE,
            Self::Get => MethodFilter::GET,
            Self::Patch => MethodFilter::PATCH,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
        }
    }
}

/// A parameter of the query.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) what: &'static str,
}

/// What a parameter is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Number,
    Text,
}

/// What stands in a request's body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum RequestBody {
    /// Nothing, or an empty object.
    None,
    /// A document of this schema, or nothing.
    Optional(&'static str),
    /// A document of this schema.
    Required(&'static str),
}

/// What comes back, by the name of a schema.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// What was created.
    Created(&'static str),
    /// One thing.
    Item(&'static str),
    /// A part of a list.
    List(&'static str),
    /// It is done.
    Nothing,
}

/// Whose tokens may ask.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reach {
    /// Those of the default tenant: it is about all tenants.
    AllTenants,
    /// Those of the tenant whose path it is.
    OwnTenant,
}

/// What an act answers.
#[derive(Debug)]
pub(super) enum Reply {
    /// Something new, and where it is below the base.
    Created { path: String, document: Value },
    /// A thing, or a part of a list.
    Item(Value),
    /// Nothing more to say.
    Nothing,
}

/// How every list is read, CONTRACT §3.
pub(super) const PAGE: [Parameter; 2] = [LIMIT, AFTER];
pub(super) const LIMIT: Parameter =
    Parameter { name: "limit", kind: Kind::Number, what: "Rows, at most." };
pub(super) const AFTER: Parameter =
    Parameter { name: "after", kind: Kind::Text, what: "The `next` of the part before." };

/// A parameter that narrows a list.
pub(super) const fn filter(name: &'static str, what: &'static str) -> Parameter {
    Parameter { name, kind: Kind::Text, what }
}
