/**
 * The capability to fetch, as one host function: `plugin.fetch` takes a request and returns a response, both as JSON.
 *
 *     { "url", "method"?, "headers"?, "body"?, "encoding"?: "base64" }
 *     { "status", "headers", "body", "encoding"?: "base64" }     status 0 and "error" if there was none
 *
 * Every address is checked before it is asked, those that redirections lead to as well, which are followed here: the platform
 * would follow them anywhere. Nothing of the page's or the server's goes along: no cookies, no credentials, no referrer.
 */
import * as v from 'valibot';
import { FiberError } from '../errors.ts';
import { currentFiber } from '../index.ts';
import { check, fields } from './check.ts';
import { type HostPattern, refusal } from './hosts.ts';
import { type SettledLimits, limitReached } from './limits.ts';
import { textFunction } from './host-functions.ts';
import { parseJson } from './json.ts';
import { readBody } from './source.ts';

export type Fetch = (url: URL, init: RequestInit) => Promise<Response>;

/** Characters. What is longer no server takes, and platforms take long to look at. */
const LONGEST_URL = 8192;
const LONGEST_HOST = 512;
const LONGEST_HEADER = 16_384;

const atMost = (length: number): v.GenericSchema<string> =>
  v.pipe(v.string(), v.maxLength(length, `must have at most ${length} characters`));

const REQUEST = fields({
  url: atMost(LONGEST_URL),
  method: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z]{1,32}$/, 'must be a method such as GET'))),
  headers: v.optional(v.record(atMost(256), atMost(LONGEST_HEADER))),
  body: v.optional(v.string()),
  encoding: v.optional(v.picklist(['text', 'base64'], 'must be text or base64')),
});

const MOST_REDIRECTIONS = 5;

/** Headers that say where a message goes, or how long it is, or that only the platform may write (Fetch, "forbidden"). */
const FORBIDDEN =
  /^(?:accept-charset|accept-encoding|access-control-.*|connection|content-length|cookie2?|date|dnt|expect|host|keep-alive|origin|proxy-.*|referer|sec-.*|set-cookie|te|trailer|transfer-encoding|upgrade|via)$/i;

/** What names somebody, and is none of another host's business. */
const CREDENTIALS = ['authorization'];

interface Sent {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: BodyInit | null;
}

/**
 * @param patterns the hosts that the plugin may reach
 * @param send the platform's `fetch`, or one of the embedder's
 */
export function fetchFunction(
  patterns: readonly HostPattern[],
  send: Fetch,
  limits: SettledLimits,
): (text: string) => unknown {
  return textFunction(async (text) => {
    const signal = currentFiber()?.signal ?? null;
    const request = read(text, patterns, limits);
    try {
      const response = await follow(request, patterns, send, signal);
      const body = await readBody(response, limits.inputBytes);
      if (body === null) {
        throw limitReached(
          'inputBytes',
          `The answer of ${request.url.host} to the plugin has more than ${limits.inputBytes} bytes, the limit inputBytes.`,
        );
      }
      return JSON.stringify({
        status: response.status,
        headers: Object.fromEntries(response.headers),
        ...written(body),
      });
    } catch (error) {
      // What was refused is for the embedder to see. What failed on the way is part of a plugin's day.
      if (error instanceof FiberError) throw error;
      return JSON.stringify({
        status: 0,
        headers: {},
        body: '',
        error: error instanceof Error ? error.message : String(error),
      });
    }
  });
}

function read(text: string, patterns: readonly HostPattern[], limits: SettledLimits): Sent {
  const value = parseJson(text, "The plugin's call of plugin.fetch", limits);
  const request = check(REQUEST, value, 'The request of plugin.fetch', 'CORRUPT_VALUE');
  const [, host = ''] = /^[^/]*\/\/([^/?#]*)/.exec(request.url) ?? [];
  if (host.length > LONGEST_HOST || !URL.canParse(request.url)) {
    throw new FiberError(
      'CORRUPT_VALUE',
      `The plugin called plugin.fetch with what is no absolute address: ${request.url.slice(0, 200)}.`,
    );
  }
  const url = new URL(request.url);
  // Before anything else is looked at, which may be large.
  const why = refusal(url, patterns);
  if (why !== null) throw denied(url, why);
  const headers = new Headers();
  for (const [name, content] of Object.entries(request.headers ?? {})) {
    if (FORBIDDEN.test(name)) throw denied(url, `the header ${name} is not a plugin's to write`);
    try {
      headers.set(name, content);
    } catch (cause) {
      throw new FiberError('CORRUPT_VALUE', 'The plugin called plugin.fetch with a header that is none.', { cause });
    }
  }
  return { url, method: (request.method ?? 'GET').toUpperCase(), headers, body: bodyOf(request) };
}

function bodyOf({ body, encoding }: v.InferOutput<typeof REQUEST>): BodyInit | null {
  if (body === undefined) return null;
  if (encoding !== 'base64') return body;
  try {
    const binary = atob(body);
    const bytes = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
    return bytes;
  } catch (cause) {
    throw new FiberError('CORRUPT_VALUE', 'The plugin called plugin.fetch with a body that is no base64.', { cause });
  }
}

async function follow(
  request: Sent,
  patterns: readonly HostPattern[],
  send: Fetch,
  signal: AbortSignal | null,
): Promise<Response> {
  let sent = request;
  for (let hop = 0; ; hop++) {
    const why = refusal(sent.url, patterns);
    if (why !== null) throw denied(sent.url, hop === 0 ? why : `${request.url.host} redirects to it, and ${why}`);
    const { url, method, headers, body } = sent;
    const response = await send(url, {
      method,
      headers,
      body,
      redirect: 'manual',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      ...(signal !== null && { signal }),
    });
    // In browsers nobody is told where a redirection leads, so that it cannot be checked.
    if (response.type === 'opaqueredirect') {
      throw denied(url, 'it redirects, and a browser does not say where to. Fetch the final address');
    }
    const location = [301, 302, 303, 307, 308].includes(response.status) ? response.headers.get('location') : null;
    if (location === null) return response;
    response.body?.cancel().catch(() => {});
    if (hop >= MOST_REDIRECTIONS) throw new Error(`${request.url.host} redirects more than ${MOST_REDIRECTIONS} times`);
    if (!URL.canParse(location, url)) throw new Error(`${url.host} redirects to what is no address`);
    sent = redirected(sent, new URL(location, url), response.status);
  }
}

/** The next request, as the Fetch standard has it. */
function redirected({ url, method, headers, body }: Sent, next: URL, status: number): Sent {
  const drops = status === 303 ? method !== 'GET' && method !== 'HEAD' : status < 303 && method === 'POST';
  const kept = new Headers(headers);
  if (next.origin !== url.origin) for (const name of CREDENTIALS) kept.delete(name);
  if (!drops) return { url: next, method, headers: kept, body };
  for (const name of ['content-encoding', 'content-language', 'content-location', 'content-type']) kept.delete(name);
  return { url: next, method: 'GET', headers: kept, body: null };
}

function written(body: Uint8Array): { readonly body: string; readonly encoding?: 'base64' } {
  try {
    return { body: new TextDecoder('utf-8', { fatal: true }).decode(body) };
  } catch {
    let binary = '';
    for (let at = 0; at < body.length; at += 8192) binary += String.fromCharCode(...body.subarray(at, at + 8192));
    return { body: btoa(binary), encoding: 'base64' };
  }
}

function denied(url: URL, why: string): FiberError {
  return new FiberError(
    'CAPABILITY_DENIED',
    `The plugin may not fetch ${url.protocol}//${url.host}: ${why}. What it may reach is granted by capabilities.fetch, and asked for in its manifest.`,
  );
}
