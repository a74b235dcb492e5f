// node-oidc-provider with its adapter in memory, and a resource for each kind of token.

import { generateKeyPair, exportJWK } from 'jose';
import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const kinds = {
  es256: { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  rs256: { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } },
  opaque: { accessTokenFormat: 'opaque' },
};

async function key(alg) {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), alg, use: 'sig' };
}

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'machine',
    client_secret: 'secret-of-the-comparison-only-0123456789',
    grant_types: ['client_credentials'],
    response_types: [],
    redirect_uris: [],
    scope: Object.keys(kinds).join(' '),
  }],
  jwks: { keys: [await key('ES256'), await key('RS256')] },
  scopes: Object.keys(kinds),
  ttl: { ClientCredentials: 3600 },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo(_ctx, indicator) {
        const name = indicator.slice(indicator.lastIndexOf('/') + 1);
        return { scope: name, accessTokenTTL: 3600, ...kinds[name] };
      },
    },
  },
});
provider.listen(port, '127.0.0.1');
