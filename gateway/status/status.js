// SPDX-License-Identifier: Apache-2.0
// The status page: reads the management API with the token that was typed in, and shows it. The token is in
// this module's memory alone. Everything that comes from the API is put in as text, never as markup.
const REFRESH_MS = 10_000;
const ACCOUNTS_MAX = 2000;
const SCOPES_MAX = 2000;
const API = 'api-version=2023-05-01';

const STATES = {
  active: { mark: '●', tone: 'good', means: 'the vault opens the key' },
  'service-managed': { mark: '○', tone: 'good', means: 'under the operator’s service key' },
  cold: { mark: '◌', tone: 'neutral', means: 'not used since the start, or not of late; the vault is asked at the next request' },
  unreachable: { mark: '◐', tone: 'warn', means: 'the vault is silent; served until the grace ends' },
  degraded: { mark: '▲', tone: 'bad', means: 'the vault is silent, and the key is not in memory, or not any more; content answers 503' },
  revoked: { mark: '■', tone: 'bad', means: 'the vault refuses the key; content answers 403' },
  unreadable: { mark: '✕', tone: 'bad', means: 'its record cannot be read' },
};
// Others on its vault have found that silent.
const COLD_IN_SILENCE = { ...STATES.cold, tone: 'bad', means: 'not in memory, and the vault is silent; content answers 503' };
const looks = ({ state, unreachableSince }) => (state === 'cold' && unreachableSince ? COLD_IN_SILENCE : STATES[state]);
const EVENT_TONES = { ok: 'good', unavailable: 'warn', refused: 'bad', failed: 'bad' };

const element = (id) => document.getElementById(id);
let token = null;
let timer = null;
let accounts = []; // and their encryption scopes, named account/scope
let more = false; // there are others than these
let scopesInAll = 0; // of which those that are not well, and then others up to SCOPES_MAX, are among them
let wanted = null; // a state, or null for all
const open = new Set(); // names of accounts whose details are shown

// --- the API ------------------------------------------------------------------------------------------

class Refused extends Error {}

async function ask(path) {
  const answer = await fetch(path, { headers: { Authorization: `Bearer ${token}` }, cache: 'no-store' });
  if (answer.status === 401) throw new Refused('The gateway does not take this token.');
  if (!answer.ok) throw new Error(`The gateway answered ${answer.status} to ${path.split('?')[0]}.`);
  return answer;
}

const json = async (path) => (await (await ask(`${path}?${API}`)).json()).value;

// The first of them by name, by pages: reading very many each few seconds would cost the gateway more than they tell.
async function firstAccounts() {
  const found = [];
  let next = `/gatekey/accounts?${API}`;
  while (next && found.length < ACCOUNTS_MAX) {
    const { value, nextLink } = await (await ask(next)).json();
    found.push(...value);
    const { pathname, search } = new URL(nextLink ?? '', location.href);
    next = nextLink && pathname + search;
  }
  return { found, more: Boolean(next) };
}

// Series of Prometheus' text form: { name, labels, value }.
function series(text) {
  return [...text.matchAll(/^([a-z_]+)(?:{([^}]*)})? (\S+)$/gm)].map(([, name, labels = '', value]) => ({
    name,
    labels: Object.fromEntries([...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text])),
    value: value === '+Inf' ? Infinity : Number(value),
  }));
}

// Encryption scopes, which the list of accounts does not have, as what known() makes of an account: of their keys there
// is what the metrics tell.
const SCOPE_SERIES = {
  gatekey_account_state: (scope, value, { state }) => ({ state }),
  gatekey_account_key_warning: ({ keyWarnings }, value, { warning }) => (value === 1 ? { keyWarnings: [...keyWarnings, warning] } : {}),
  gatekey_account_rotation_pending: (scope, value) => ({ rotationPending: value === 1 }),
  gatekey_account_key_created_timestamp_seconds: (scope, value) => ({ created: isoOf(value) }),
  gatekey_account_key_expires_timestamp_seconds: (scope, value) => ({ expires: isoOf(value) }),
  gatekey_account_last_check_timestamp_seconds: (scope, value) => ({ lastCheck: isoOf(value) }),
  gatekey_account_last_rotation_timestamp_seconds: (scope, value) => ({ rotated: isoOf(value) }),
  gatekey_account_last_version_check_timestamp_seconds: (scope, value) => ({ lastVersionCheck: isoOf(value) }),
  gatekey_account_grace_ends_timestamp_seconds: (scope, value) => ({ graceUntil: isoOf(value) }),
  gatekey_account_revoked_since_timestamp_seconds: (scope, value) => ({ revokedSince: isoOf(value) }),
  gatekey_account_unreachable_since_timestamp_seconds: (scope, value) => ({ unreachableSince: isoOf(value) }),
};

function scopesOf(metrics) {
  const scopes = new Map();
  for (const { name, labels, value } of metrics) {
    if (labels.scope === undefined || !(name in SCOPE_SERIES)) continue;
    const path = `${labels.account}/${labels.scope}`;
    const scope = scopes.get(path) ?? { name: path, keyWarnings: [], more: `gatekeyctl scope show ${path}` };
    scopes.set(path, { ...scope, ...SCOPE_SERIES[name](scope, value, labels) });
  }
  return [...scopes.values()];
}

// Those that are not well are never among what is left out while there is room for them.
const isWell = (scope) => ['good', 'neutral'].includes(looks(scope)?.tone) && scope.keyWarnings.length === 0 && !scope.rotationPending;
const firstScopes = (scopes) => [...scopes.filter((scope) => !isWell(scope)), ...scopes.filter(isWell)].slice(0, SCOPES_MAX);

// --- words --------------------------------------------------------------------------------------------

const UNITS = [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]];

function span(seconds) {
  const [unit, size] = UNITS.find(([, length]) => seconds >= length) ?? UNITS.at(-1);
  const count = Math.max(0, Math.floor(seconds / size));
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

const isoOf = (seconds) => (seconds > 0 ? new Date(seconds * 1000).toISOString() : undefined);
const ago = (time) => (time ? `${span((Date.now() - Date.parse(time)) / 1000)} ago` : '');
const exact = (time) => new Date(time).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const milliseconds = (seconds) => (seconds === Infinity ? 'over 30 s' : seconds < 1 ? `${seconds * 1000} ms` : `${seconds} s`);

// --- building -----------------------------------------------------------------------------------------

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

const timeOf = (time, text) => (time ? make('time', { datetime: time, title: exact(time) }, text) : '');

// account: or a state alone.
function stateMark(account) {
  const { mark, tone, means } = looks(account) ?? { mark: '?', tone: 'warn', means: '' };
  return make('span', { class: `state ${tone}`, 'data-mark': mark, title: means }, account.state);
}

// --- accounts -----------------------------------------------------------------------------------------

// What the page shows of one: of an account that cannot be read there is only what is wrong.
function known(account) {
  if (account.error) {
    return { name: account.name, state: 'unreadable', reason: account.error.message, reasonCode: account.error.code };
  }
  const { encryption, gatekey } = account.properties;
  const key = encryption.keyvaultproperties;
  const [, host = '', version = ''] = /^https:\/\/([^/]+)\/keys\/[^/]+\/(.+)$/.exec(key?.currentVersionedKeyIdentifier ?? '') ?? [];
  return {
    ...gatekey,
    name: account.name,
    key: key?.keyname ?? '',
    keyIdentifier: key?.currentVersionedKeyIdentifier,
    host,
    version,
    pinned: Boolean(key?.keyversion),
    created: gatekey.keyCreated,
    rotated: key?.lastKeyRotationTimestamp,
    expires: key?.currentVersionedKeyExpirationTimestamp,
    identity: encryption.identity?.userAssignedIdentity ?? (key ? 'system-assigned' : undefined),
    id: account.id,
  };
}

const whenPassed = (time) => time && timeOf(time, `${exact(time)}`);

function facts(account) {
  const rows = [
    ['State', `${account.state}: ${looks(account)?.means ?? ''}`],
    ['Reason', [account.reasonCode, account.reason].filter(Boolean).join(': ')],
    ['Request id at the vault', account.requestId],
    ['Key version in use', account.keyIdentifier],
    ['Version rule', account.key && (account.pinned ? 'pinned to a version' : 'the newest version, which is looked for regularly')],
    ['A newer version', account.rotationPending ? 'is known and not taken yet' : ''],
    ['Version before', account.previousKeyIdentifier],
    ['It may be disabled after', whenPassed(account.oldVersionMayBeDisabledAfter)],
    ['Warnings', account.keyWarnings?.join(', ')],
    ['Version expires', whenPassed(account.expires)],
    ['Last rotation', whenPassed(account.rotated)],
    ['Newer version last looked for', whenPassed(account.lastVersionCheck)],
    ['And next', whenPassed(account.nextVersionCheck)],
    ['Key refused since', whenPassed(account.revokedSince)],
    ['Vault silent since', whenPassed(account.unreachableSince)],
    ['Grace ends', whenPassed(account.graceUntil)],
    ['Identity', account.identity],
    ['Resource', account.id],
    ['Key and reason', account.more],
  ].filter(([, value]) => value);
  return make('dl', {}, ...rows.flatMap(([name, value]) => [make('dt', {}, name), make('dd', {}, value)]));
}

function rowsOf(account) {
  const detailsId = `details-${account.name}`;
  const isOpen = open.has(account.name);
  const button = make('button', { type: 'button', 'aria-expanded': isOpen, 'aria-controls': detailsId,
    'aria-label': `Details of ${account.name}`, 'data-account': account.name }, 'Details');
  const details = make('tr', { id: detailsId, class: 'details' }, make('td', { colspan: 7 }, facts(account)));
  details.hidden = !isOpen;
  button.addEventListener('click', () => {
    details.hidden = !details.hidden;
    button.setAttribute('aria-expanded', !details.hidden);
    open[details.hidden ? 'delete' : 'add'](account.name);
  });
  const notes = [['↻', account.rotationPending && 'newer one pending'], ...(account.keyWarnings ?? []).map((warning) => ['!', warning])]
    .filter(([, text]) => text).flatMap(([mark, text]) => [' ', make('span', { class: 'state warn', 'data-mark': mark }, text)]);
  return [
    make('tr', {},
      make('th', { scope: 'row' }, account.name),
      make('td', {}, stateMark(account)),
      make('td', { 'data-label': 'Key' }, account.key ? `${account.key} in ${account.host}` : ''),
      make('td', { 'data-label': 'Version', class: 'id' }, account.version?.slice(0, 8) ?? '', ...notes),
      make('td', { 'data-label': 'Age of version' }, account.created ? timeOf(account.created, span((Date.now() - Date.parse(account.created)) / 1000)) : ''),
      make('td', { 'data-label': 'Last answer of the vault' }, timeOf(account.lastCheck, ago(account.lastCheck))),
      make('td', {}, button)),
    details,
  ];
}

const found = (account, text) => [account.name, account.key, account.host].some((word) => word?.toLowerCase().includes(text));

function showAccounts() {
  const text = element('search').value.trim().toLowerCase();
  const shown = accounts.filter((account) => (wanted === null || account.state === wanted) && found(account, text));
  const focused = document.activeElement?.dataset?.account;
  element('accounts').tBodies[0].replaceChildren(...shown.flatMap(rowsOf));
  // What had the focus is a new element now.
  if (focused) document.querySelector(`button[data-account="${CSS.escape(focused)}"]`)?.focus();
  const scopes = accounts.filter(({ name }) => name.includes('/')).length;
  const all = (more ? `the first ${accounts.length - scopes} accounts by name` : `${accounts.length - scopes} accounts`) +
    (scopesInAll > scopes ? ` and the first ${scopes} of ${scopesInAll} scopes` : scopes > 0 ? ` and ${scopes} scopes` : '');
  const words = shown.length === accounts.length ? all : `${shown.length} of ${all}`;
  if (element('shown').textContent !== words) element('shown').textContent = words;
}

function showStates() {
  const counts = new Map([[null, accounts.length]]);
  for (const state of Object.keys(STATES)) {
    const count = accounts.filter((account) => account.state === state).length;
    if (count > 0 || wanted === state) counts.set(state, count);
  }
  const focused = document.activeElement?.dataset?.state;
  const buttons = [...counts].map(([state, count]) => {
    const button = make('button', { type: 'button', 'aria-pressed': wanted === state, 'data-state': state ?? '' },
      state === null ? 'all' : stateMark({ state }), ` ${count}`);
    button.addEventListener('click', () => {
      wanted = state;
      showStates();
      showAccounts();
    });
    return button;
  });
  element('states').replaceChildren(element('states').firstElementChild, ...buttons);
  if (focused !== undefined) document.querySelector(`button[data-state="${focused}"]`)?.focus();
}

// --- events and calls ---------------------------------------------------------------------------------

function showEvents(events) {
  element('no-events').hidden = events.length > 0;
  element('events').replaceChildren(...events.map((event) => make('li', { class: EVENT_TONES[event.outcome] ?? '' },
    timeOf(event.time, exact(event.time)),
    make('span', { class: 'what' }, [event.event, event.account, event.outcome].filter(Boolean).join(' · ')),
    event.actor && event.actor !== 'gatekey' ? ` by ${event.actor}` : null,
    make('span', { class: 'why' }, [event.reason, event.detail, event.keyId].filter(Boolean).join(' · ')))));
}

// The bound of the histogram's bucket that holds this share of all.
function within(buckets, share) {
  const count = buckets.find(({ labels }) => labels.le === '+Inf').value;
  const bucket = buckets.find(({ value }) => value >= count * share);
  return milliseconds(bucket.labels.le === '+Inf' ? Infinity : Number(bucket.labels.le));
}

function showCalls(all) {
  const rows = ['get', 'wrap', 'unwrap'].map((operation) => {
    const calls = all.filter(({ name, labels }) => name === 'gatekey_vault_calls_total' && labels.operation === operation);
    const sum = (...results) => calls.filter(({ labels }) => results.includes(labels.result)).reduce((total, { value }) => total + value, 0);
    const buckets = all.filter(({ name, labels }) => name === 'gatekey_vault_call_duration_seconds_bucket' && labels.operation === operation);
    return buckets.length === 0 ? null : make('tr', {},
      make('th', { scope: 'row' }, operation),
      make('td', { 'data-label': 'Answered' }, `${sum('ok')}`),
      make('td', { 'data-label': 'Refused' }, `${sum('key_refused', 'gone', 'identity_gone')}`),
      make('td', { 'data-label': 'No answer' }, `${sum('unavailable')}`),
      make('td', { 'data-label': 'Half within' }, within(buckets, 0.5)),
      make('td', { 'data-label': '99 of 100 within' }, within(buckets, 0.99)));
  }).filter(Boolean);
  element('calls').tBodies[0].replaceChildren(...rows);
  element('calls').hidden = rows.length === 0;
  element('no-calls').hidden = rows.length > 0;
}

// --- the whole ----------------------------------------------------------------------------------------

function problem(text) {
  element('problem').hidden = text === '';
  if (element('problem').textContent !== text) element('problem').textContent = text;
}

function leave(text = '') {
  token = null;
  clearTimeout(timer);
  accounts = [];
  open.clear();
  element('accounts').tBodies[0].replaceChildren();
  element('events').replaceChildren();
  element('calls').tBodies[0].replaceChildren();
  element('content').hidden = true;
  element('refresh').hidden = true;
  element('enter').hidden = false;
  problem(text);
  element('token').focus();
}

async function refresh() {
  clearTimeout(timer);
  try {
    const [list, events, text] = await Promise.all([firstAccounts(), json('/gatekey/events'),
      ask('/metrics').then((answer) => answer.text())]);
    if (token === null) return; // forgotten meanwhile
    const metrics = series(text);
    more = list.more;
    const scopes = scopesOf(metrics);
    scopesInAll = scopes.length;
    accounts = [...list.found.map(known), ...firstScopes(scopes)].sort((a, b) => a.name.localeCompare(b.name));
    element('gateway').textContent = `${location.host} · release ${metrics.find(({ name }) => name === 'gatekey_build_info').labels.version}`;
    showStates();
    showAccounts();
    showEvents(events);
    showCalls(metrics);
    element('updated').textContent = `Updated ${new Date().toLocaleTimeString()}`;
    problem('');
  } catch (error) {
    if (token === null) return;
    if (error instanceof Refused) return leave(error.message);
    problem(error instanceof TypeError ? 'The gateway does not answer; what is below may be out of date.' : error.message);
  }
  if (element('pause').getAttribute('aria-pressed') === 'false') timer = setTimeout(refresh, REFRESH_MS);
}

element('enter').addEventListener('submit', async (event) => {
  event.preventDefault();
  token = element('token').value.trim();
  element('token').value = '';
  await refresh();
  if (token === null) return;
  element('enter').hidden = true;
  element('content').hidden = false;
  element('refresh').hidden = false;
  element('main').focus();
});
element('search').addEventListener('input', showAccounts);
element('now').addEventListener('click', refresh);
element('leave').addEventListener('click', () => leave());
element('pause').addEventListener('click', () => {
  const paused = element('pause').getAttribute('aria-pressed') === 'false';
  element('pause').setAttribute('aria-pressed', paused);
  if (paused) clearTimeout(timer);
  else refresh();
});
