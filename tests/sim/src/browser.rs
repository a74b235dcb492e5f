//! A person in front of a browser: what leads to a code, and signing out.

use crate::actor::Tab;
use crate::ask::{Ask, ClientAt, Form, Page, Password, Prompt, Stop, Ticked, client};
use crate::ledger::Brought;
use crate::stage::Heard;
use crate::wire::Extras;

/// After so many stops a person gives up.
const STOPS_MAX: usize = 6;

impl Tab {
    /// From the application's link to its code, over as many pages as the server wants.
    pub(crate) async fn walk(&mut self) {
        let (client_at, session) = {
            let device = self.device.borrow();
            (device.client, device.session)
        };
        let asks = client(client_at).part.is_some() && self.chance.one_in(2);
        let prompt = if asks { Prompt::Consent } else { Prompt::Unsaid };
        let begin = Ask::Authorize { session, client: client_at, prompt };
        let mut heard = self.visit(begin, Form::default()).await;
        for _ in 0..STOPS_MAX {
            let Heard::Answer(answer, _) = &heard else { return };
            let Some((stop, flow)) = answer.leads_to() else { return };
            let form = Form { flow: flow.to_owned(), csrf: String::new() };
            heard = match stop {
                Stop::Consent => self.consent(client_at, form).await,
                Stop::Login => self.sign_in(form).await,
                Stop::Resume => {
                    let session = self.device.borrow().session;
                    self.visit(Ask::Resume { session, client: client_at }, form).await
                }
            };
        }
    }

    async fn sign_in(&mut self, form: Form) -> Heard {
        self.device.borrow_mut().session = None;
        let shown = self.visit(Ask::Show { page: Page::Login, session: None }, form).await;
        let Some(form) = form_of(&shown) else { return shown };
        let password = if self.chance.one_in(10) { Password::Wrong } else { Password::Right };
        let user = self.device.borrow().user;
        self.visit(Ask::SignIn { user, password }, form).await
    }

    async fn consent(&mut self, to: ClientAt, form: Form) -> Heard {
        let Some(session) = self.device.borrow().session else { return Heard::Nothing };
        let show = Ask::Show { page: Page::Consent, session: Some(session) };
        let shown = self.visit(show, form).await;
        let Some(form) = form_of(&shown) else { return shown };
        let ticked = if self.chance.one_in(3) { Ticked::Part } else { Ticked::All };
        self.visit(Ask::Consent { session, client: to, ticked }, form).await
    }

    /// Signs out; what lives on is used on.
    pub(crate) async fn sign_out(&mut self) {
        let Some(session) = self.device.borrow().session else { return };
        let hint = {
            let ledger = self.stage.ledger.borrow();
            let own = |f: &crate::ledger::Family| f.session == session && f.id_token.is_some();
            ledger.families.iter().position(own).filter(|_| self.chance.one_in(2))
        };
        let form = match hint {
            Some(_) => Form::default(),
            None => {
                let show = Ask::Show { page: Page::Logout, session: Some(session) };
                let shown = self.visit(show, Form::default()).await;
                let Some(form) = form_of(&shown) else { return };
                form
            }
        };
        let heard = self.visit(Ask::SignOut { session, hint }, form).await;
        if matches!(heard, Heard::Answer(answer, _) if answer.status == 200) {
            self.device.borrow_mut().session = None;
        }
    }

    /// Asks as this browser, and keeps what it gets.
    async fn visit(&mut self, ask: Ask, form: Form) -> Heard {
        let node = self.stage.some_node(&mut self.chance).await;
        let browser = self.device.borrow().browser.clone();
        let extras = Extras { browser, form, ..Extras::default() };
        let heard = self.stage.call(node, ask, &extras, &mut self.chance).await;
        if let Heard::Answer(answer, brought) = &heard {
            let mut device = self.device.borrow_mut();
            match brought {
                Brought::Code(code) => device.code = Some(*code),
                Brought::Session(session) => device.session = Some(*session),
                Brought::Nothing | Brought::Tokens(_) => {}
            }
            if answer.browser.is_some() {
                device.browser.clone_from(&answer.browser);
            }
        }
        heard
    }
}

fn form_of(heard: &Heard) -> Option<Form> {
    match heard {
        Heard::Answer(answer, _) => answer.form.clone(),
        Heard::Nothing => None,
    }
}
