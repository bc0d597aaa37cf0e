/**
 * Which addresses a plugin may fetch. An address is first made what the platform makes of it (`new URL`), so that every spelling
 * of an IP address (octal, hexadecimal, one number, IPv4 in IPv6) and of a name (capitals, IDN) is one; then it is compared with
 * patterns, and with nothing else. So there are no ranges to forget: an IP address, `localhost` or a name without a dot is
 * allowed where it is listed exactly, and no wildcard covers it.
 *
 * What a name resolves to is not seen here; SECURITY.md says so.
 */
import * as v from 'valibot';

/** A pattern, taken apart. */
export interface HostPattern {
  /** As it was written. */
  readonly text: string;
  readonly protocol: string;
  /** Canonical; behind `*.` the domain below which every name is meant; `*` is every public name. */
  readonly host: string;
  readonly wildcard: boolean;
  /** Empty for the protocol's own, `*` for any. */
  readonly port: string;
}

const MUST = 'must be a host such as api.example.org, *.example.org, http://localhost:8080 or https://example.org:*';

/** `[scheme://]host[:port]` */
export const HOST_PATTERN: v.GenericSchema<string> = v.pipe(
  v.string(),
  v.check((text) => parseHostPattern(text) !== null, MUST),
);

/** Null if it is none. */
export function parseHostPattern(text: string): HostPattern | null {
  const match = /^(?:(https?):\/\/)?(\*\.|\*$|\*(?=:))?(\[[0-9a-fA-F:.]+\]|[^\s/?#@:[\]\\*]*)(?::(\d{1,5}|\*))?$/.exec(
    text,
  );
  if (match === null) return null;
  const [, scheme = 'https', star = '', name = '', port = ''] = match;
  if (star === '*') return name === '' ? make(text, scheme, '*', true, port) : null;
  if (name === '' || name.endsWith('.') || !URL.canParse(`https://${name}`)) return null;
  const { hostname } = new URL(`https://${name}`);
  // A wildcard over numbers would be one over addresses.
  if (star !== '' && !isPublicName(`x.${hostname}`)) return null;
  return make(text, scheme, hostname, star !== '', port);
}

function make(text: string, scheme: string, host: string, wildcard: boolean, port: string): HostPattern | null {
  const probe = `${scheme}://probe:${port === '*' || port === '' ? '1' : port}`;
  if (!URL.canParse(probe)) return null;
  // The protocol's own port is written by nobody and shown by no URL.
  const shown = port === '*' || port === '' ? port : new URL(probe).port;
  return { text, protocol: `${scheme}:`, host, wildcard, port: shown };
}

/** A name of several labels that is no address, and none of those that never are on the public network. */
function isPublicName(host: string): boolean {
  if (host.startsWith('[') || !host.includes('.') || host.endsWith('.')) return false;
  const last = host.slice(host.lastIndexOf('.') + 1);
  return !/^\d/.test(last) && !NOT_PUBLIC.includes(last);
}

/** Names that resolvers keep to this machine, this network or this cluster, or that nobody has (RFC 6761, 6762, 8375, 9476). */
const NOT_PUBLIC: readonly string[] = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'intranet',
  'lan',
  'home',
  'corp',
  'private',
  'arpa',
  'onion',
  'alt',
  'svc',
  'test',
  'invalid',
];

/** Why an address may not be fetched; null if it may. */
export function refusal(url: URL, patterns: readonly HostPattern[]): string | null {
  if (url.username !== '' || url.password !== '') return 'it has a user name or a password in it';
  if (url.hostname.endsWith('.')) return 'its host ends in a dot';
  return patterns.some((pattern) => allows(pattern, url))
    ? null
    : `${url.protocol}//${url.host} is none of the hosts that it may reach (${patterns.map(({ text }) => text).join(', ') || 'none'})`;
}

function allows({ protocol, host, wildcard, port }: HostPattern, url: URL): boolean {
  if (url.protocol !== protocol || (port !== '*' && url.port !== port)) return false;
  return coversHost(host, wildcard, url.hostname);
}

function coversHost(host: string, wildcard: boolean, name: string): boolean {
  if (!wildcard) return name === host;
  return isPublicName(name) && (host === '*' || name.endsWith(`.${host}`));
}

/** Does a granted pattern allow everything that a requested one does? */
export function covers(granted: HostPattern, requested: HostPattern): boolean {
  if (granted.protocol !== requested.protocol) return false;
  if (granted.port !== '*' && granted.port !== requested.port) return false;
  if (!requested.wildcard) return coversHost(granted.host, granted.wildcard, requested.host);
  if (!granted.wildcard) return false;
  return granted.host === '*' || requested.host === granted.host || requested.host.endsWith(`.${granted.host}`);
}
