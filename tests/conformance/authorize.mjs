// Preloaded into the conformance suite, which has no option for it: every request to $GATEWAY carries
// "Authorization: Bearer $GATEWAY_TOKEN". The suite sends by three ways: fetch, undici's request and node:http.
import http from 'node:http';
import { createRequire } from 'node:module';

const origin = new URL(process.env.GATEWAY).origin;
const credential = `Bearer ${process.env.GATEWAY_TOKEN}`;

const builtin = globalThis.fetch;
globalThis.fetch = (target, options) => {
  const request = new Request(target, options);
  if (new URL(request.url).origin !== origin || request.headers.has('authorization')) return builtin(target, options);
  const headers = new Headers(options?.headers ?? (target instanceof Request ? target.headers : undefined));
  headers.set('authorization', credential);
  return builtin(target, { ...options, headers });
};

const { getGlobalDispatcher, setGlobalDispatcher } = createRequire(process.env.SUITE)('undici');
const named = (headers) => {
  if (!headers) return {};
  if (!Array.isArray(headers)) return typeof headers[Symbol.iterator] === 'function' ? Object.fromEntries(headers) : headers;
  return Object.fromEntries(headers.flatMap((name, at) => (at % 2 ? [] : [[name, headers[at + 1]]])));
};
setGlobalDispatcher(
  getGlobalDispatcher().compose((dispatch) => (options, handler) => {
    if (String(options.origin).replace(/\/$/, '') !== origin) return dispatch(options, handler);
    return dispatch({ ...options, headers: { ...named(options.headers), authorization: credential } }, handler);
  }),
);

const plain = http.request;
http.request = function request(options, ...rest) {
  const target = options instanceof URL || typeof options === 'string' ? undefined : options;
  if (target && `http://${target.hostname ?? target.host}:${target.port}` === origin) {
    return plain.call(this, { ...target, headers: { ...target.headers, Authorization: credential } }, ...rest);
  }
  return plain.call(this, options, ...rest);
};
