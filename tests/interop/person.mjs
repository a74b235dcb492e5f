// A person who signs in and allows, for clients that only make the address and read the answer.

const STEPS = 10;

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', '#x27': "'", '#39': "'", apos: "'" };
const unescape = (text) => text.replace(/&(#?\w+);/g, (whole, name) => {
  if (entities[name]) return entities[name];
  const number = /^#(x?)([0-9a-f]+)$/i.exec(name);
  return number ? String.fromCodePoint(parseInt(number[2], number[1] ? 16 : 10)) : whole;
});

const attributes = (tag) => Object.fromEntries(
  [...tag.matchAll(/([\w-]+)(?:="([^"]*)")?/g)].slice(1).map((m) => [m[1], unescape(m[2] ?? '')]),
);

/** The form with an id and the pairs that a click on a button sends. */
function form(page, id, button) {
  const found = [...page.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map((m) => m[0])
    .find((text) => attributes(/<form\b[^>]*>/.exec(text)[0]).id === id);
  if (!found) return undefined;
  const pairs = new URLSearchParams();
  for (const [tag] of found.matchAll(/<(?:input|button)\b[^>]*>/g)) {
    const control = attributes(tag);
    const clickable = tag.startsWith('<button') || control.type === 'submit';
    if (!control.name || (clickable && control.id !== button)) continue;
    if (control.type === 'checkbox' && !('checked' in control)) continue;
    pairs.append(control.name, control.value ?? '');
  }
  return { action: attributes(/<form\b[^>]*>/.exec(found)[0]).action, pairs };
}

export class Person {
  #cookies = new Map();

  /** Follows an address to the client's redirect URI and returns the whole URL that came there. */
  async authorize(url) {
    let answer = await this.#send(new URL(url));
    for (let step = 0; step < STEPS; step += 1) {
      if (answer.away) return answer.away;
      const login = form(answer.page, 'login-form', 'login-submit');
      const consent = form(answer.page, 'consent-form', 'consent-allow');
      if (!login && !consent) throw new Error(`an unknown page at ${answer.url.pathname}`);
      login?.pairs.set('username', process.env.USERNAME);
      login?.pairs.set('password', process.env.PASSWORD);
      const next = login ?? consent;
      answer = await this.#send(new URL(next.action, answer.url), next.pairs);
    }
    throw new Error('the flow does not end');
  }

  /** Signs out at an end-session address. */
  async leave(url) {
    const answer = await this.#send(new URL(url));
    if (answer.away) return answer.away;
    const logout = form(answer.page, 'logout-form', 'logout-confirm');
    const last = await this.#send(new URL(logout.action, answer.url), logout.pairs);
    return last.away;
  }

  async #send(url, pairs) {
    for (let step = 0; step < STEPS; step += 1) {
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const response = await fetch(url, {
        method: pairs ? 'POST' : 'GET',
        body: pairs,
        redirect: 'manual',
        headers: { cookie, ...(pairs && { origin: url.origin }) },
      });
      for (const line of response.headers.getSetCookie()) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        this.#cookies.set(name, value);
      }
      const location = response.headers.get('location');
      if (!location) return { url, page: await response.text() };
      const next = new URL(location, url);
      if (next.origin !== url.origin) return { away: next };
      url = next;
      pairs = undefined;
    }
    throw new Error('a redirect loop');
  }
}
