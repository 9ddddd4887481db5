"use strict";
// Checks a proof of the register in the browser alone: RFC 6962 trees, C2SP signed notes and tlog-proofs, Ed25519
// (RFC 8032). Digests come from WebCrypto; the signature is computed here, since not every browser offers Ed25519.
(() => {
  const words = JSON.parse(document.getElementById("words").textContent);
  let tag = document.documentElement.lang;
  let again = () => {};
  const $ = (id) => document.getElementById(id);

  const say = (message, values = {}) =>
    Object.entries(values).reduce((text, [name, value]) => text.replace(`{${name}}`, value), words[tag][message]);

  class Wrong extends Error {}
  const need = (holds, message) => { if (!holds) throw new Wrong(message); };

  // --- bytes
  const NO_PROOF = "This is not a proof that this page knows.";
  const SIGNATURE = "The signature under the checkpoint is not one of this key.";
  const TREE = "The proof does not lead to the root that was signed.";
  const utf8 = (text) => new TextEncoder().encode(text);
  const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
  const same = (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]);
  const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const digest = async (name, ...parts) =>
    new Uint8Array(await crypto.subtle.digest(name, parts.length === 1 ? parts[0] : join(...parts)));
  const sha256 = (...parts) => digest("SHA-256", ...parts);
  const base64 = (text, message = NO_PROOF) => {
    let raw;
    try { raw = atob(text); } catch { throw new Wrong(message); }
    need(btoa(raw) === text, message);
    return Uint8Array.from(raw, (sign) => sign.charCodeAt(0));
  };
  const whole = (text) => {
    need(/^(0|[1-9][0-9]{0,14})$/.test(text), NO_PROOF);
    return Number(text);
  };

  // --- Ed25519, RFC 8032, 5.1: strict, as the offline check in Python
  const P = 2n ** 255n - 19n, L = 2n ** 252n + 27742317777372353535851937790883648493n;
  const mod = (x) => ((x % P) + P) % P;
  const power = (base, exponent) => {
    let found = 1n;
    for (base = mod(base); exponent; exponent >>= 1n, base = base * base % P) if (exponent & 1n) found = found * base % P;
    return found;
  };
  const D = mod(-121665n * power(121666n, P - 2n)), ROOT = power(2n, (P - 1n) / 4n);
  const little = (bytes) => bytes.reduceRight((number, byte) => number << 8n | BigInt(byte), 0n);
  const add = ([a, b, c, d], [e, f, g, h]) => {
    const q = mod((b - a) * (f - e)), r = mod((b + a) * (f + e)), s = mod(2n * d * h * D), t = mod(2n * c * g);
    const u = r - q, v = t - s, w = t + s, x = r + q;
    return [mod(u * v), mod(w * x), mod(v * w), mod(u * x)];
  };
  const times = (scalar, point) => {
    let found = [0n, 1n, 1n, 0n];
    for (; scalar; scalar >>= 1n, point = add(point, point)) if (scalar & 1n) found = add(found, point);
    return found;
  };
  const point = (bytes) => {
    const number = little(bytes), y = number & (1n << 255n) - 1n, odd = number >> 255n;
    if (y >= P) return null;
    const u = mod(y * y - 1n), v = mod(D * y * y + 1n);
    let x = mod(u * v ** 3n * power(u * v ** 7n, (P - 5n) / 8n));
    if (mod(v * x * x) !== u) x = mod(x * ROOT);
    if (mod(v * x * x) !== u || (x === 0n && odd)) return null;
    if ((x & 1n) !== odd) x = P - x;
    return [x, y, 1n, mod(x * y)];
  };
  const encoded = ([x, y, z]) => {
    const i = power(z, P - 2n);
    let number = mod(y * i) | (mod(x * i) & 1n) << 255n;
    return Uint8Array.from({ length: 32 }, () => { const byte = Number(number & 255n); number >>= 8n; return byte; });
  };
  const BASE = point(Uint8Array.from([0x58, ...Array(31).fill(0x66)]));
  const signed = async (key, message, signature) => {
    const a = point(key), s = little(signature.slice(32));
    if (signature.length !== 64 || a === null || s >= L) return false;
    const k = little(await digest("SHA-512", signature.slice(0, 32), key, message)) % L;
    return same(encoded(add(times(s, BASE), times(k, [mod(-a[0]), a[1], 1n, mod(-a[3])]))), signature.slice(0, 32));
  };

  // --- the tree: RFC 9162, 2.1.3.2
  const leaf = async (entry) => sha256([0], entry);
  const climb = async (found, index, size, hashes, message) => {
    need(Number.isSafeInteger(index) && Number.isSafeInteger(size) && 0 <= index && index < size, message);
    const half = (x) => Math.floor(x / 2);
    let first = index, last = size - 1;
    for (const sibling of hashes) {
      need(last > 0 && sibling.length === 32, message);
      if (first % 2 || first === last) {
        found = await sha256([1], sibling, found);
        while (first % 2 === 0 && first) { first = half(first); last = half(last); }
      } else found = await sha256([1], found, sibling);
      first = half(first); last = half(last);
    }
    need(last === 0, message);
    return found;
  };

  // --- signed notes and receipts: C2SP signed-note, tlog-checkpoint, tlog-proof
  const verifier = async (line) => {
    const FALSE = "The key is not the key line of a log.";
    const [name, id, ...rest] = line.trim().split("+");
    const material = base64(rest.join("+"), FALSE);
    need(name && material.length === 33 && material[0] === 1, FALSE);
    need(hex((await sha256(utf8(`${name}\n`), material)).slice(0, 4)) === id, FALSE);
    return { name, id, key: material.slice(1) };
  };
  const checkpoint = async (note, { name, id, key }) => {
    const end = note.lastIndexOf("\n\n");
    need(end > 0 && note.endsWith("\n"), NO_PROOF);
    const text = note.slice(0, end + 1);
    let trusted = 0;
    for (const line of note.slice(end + 2, -1).split("\n")) {
      const parts = line.split(" ");
      need(parts.length === 3 && parts[0] === "\u2014", NO_PROOF);
      const blob = base64(parts[2]);
      if (parts[1] !== name || hex(blob.slice(0, 4)) !== id) continue;
      need(await signed(key, utf8(text), blob.slice(4)), SIGNATURE);
      trusted += 1;
    }
    need(trusted > 0, SIGNATURE);
    const [origin, size, root] = text.split("\n");
    need(origin === name, SIGNATURE);
    return { origin, size: whole(size), root: base64(root), shown: root };
  };
  const received = async (record, receipt, key) => {
    const end = receipt.indexOf("\n\n");
    const [header, ...lines] = receipt.slice(0, end).split("\n");
    need(end > 0 && header === "c2sp.org/tlog-proof@v1", NO_PROOF);
    if (lines[0]?.startsWith("extra ")) lines.shift();
    const index = lines.shift() ?? "";
    need(index.startsWith("index "), NO_PROOF);
    const head = await checkpoint(receipt.slice(end + 2), key), at = whole(index.slice(6));
    const found = await climb(await leaf(await sha256(utf8(record))), at, head.size, lines.map((h) => base64(h)), TREE);
    need(same(found, head.root), TREE);
    return { position: at + 1, head };
  };

  // --- what was handed out
  const read = (text) => {
    try { return JSON.parse(text); } catch { /* a record and its receipt as plain text */ }
    const at = text.indexOf("c2sp.org/tlog-proof@v1");
    need(at > 0, NO_PROOF);
    return { record: text.slice(0, at).trim(), receipt: text.slice(at) };
  };
  const LINE = "The line does not lead to the root on record.";
  const line = async (proof, state) => {
    const root = state.data.roots?.find((each) => each.name === proof.list);
    need(root && typeof proof.line === "string" && Array.isArray(proof.hashes), LINE);
    const salt = base64(proof.salt);
    need(salt.length === 16 && !proof.line.includes("\n"), LINE);
    need(root.rows === undefined || root.rows === proof.size, LINE);
    const hashes = proof.hashes.map((each) => base64(each));
    const found = await climb(
      await leaf(await sha256(salt, utf8(proof.line))), proof.index, proof.size, hashes, LINE);
    need(hex(found) === root.root, LINE);
  };
  const PERSONAL = "What stands beside the record is not what the record vouches for.";
  const one = async (proof, key) => {
    need(typeof proof.record === "string" && typeof proof.receipt === "string", NO_PROOF);
    const { position, head } = await received(proof.record, proof.receipt, key);
    const { topic, at, state } = JSON.parse(proof.record);
    const told = [];
    if (proof.format === "cvr-line/1") {
      need(topic === "ba.cvr.excerpt-drawn.v1", LINE);
      await line(proof, state);
      told.push(["This line stands on the list {name}, which has {rows} lines:", { name: proof.list, rows: proof.size }]);
      told.push([null, proof.line]);
    } else told.push([null, `${topic} · ${at}`]);
    told.push(["It is on record at position {position} of the log.", { position }]);
    if (typeof proof.personal === "string") {
      need(state.personal === `sha256:${hex(await sha256(utf8(proof.personal)))}`, PERSONAL);
      told.push(["What stands beside the record is what the record vouches for:", {}], [null, proof.personal]);
    }
    return { told, head };
  };

  const show = (good, told) => {
    again = () => {
      const out = $("outcome");
      const lines = told.map(([message, values]) => {
        const made = document.createElement(message === null ? "pre" : "p");
        made.textContent = message === null ? values : say(message, values);
        return made;
      });
      const heading = document.createElement("h2");
      heading.textContent = say(good ? "Proven" : "Not proven");
      out.className = good ? "good" : "bad";
      out.replaceChildren(heading, ...lines);
    };
    again();
  };
  const check = async () => {
    try {
      need(globalThis.crypto?.subtle, "This browser computes no digests on this page. Open it over a secure connection (https), or save it and open the file.");
      const key = await verifier($("key").value), proof = read($("proof").value);
      need(proof && typeof proof === "object" && proof.format !== "cvr-list/1", NO_PROOF);
      const all = Array.isArray(proof.items) ? proof.items : [proof];
      need(all.length > 0, NO_PROOF);
      const told = [];
      let head = null;
      for (const each of all) {
        const found = await one(each, key);
        told.push(...found.told);
        head = found.head;
      }
      told.push(["The signed log has {size} events; its root is {root}.", { size: head.size, root: head.shown }]);
      told.push(["This shows what was on record when the proof was made, and not what came later.", {}]);
      show(true, told);
    } catch (error) {
      show(false, [[error instanceof Wrong ? error.message : NO_PROOF, {}]]);
    }
  };

  // --- the page
  const speak = (wanted) => {
    tag = wanted;
    document.documentElement.lang = wanted;
    document.title = say("Check a proof");
    for (const each of document.querySelectorAll("[data-say]")) each.textContent = say(each.dataset.say);
    for (const each of document.querySelectorAll("[data-tag]"))
      each.setAttribute("aria-pressed", String(each.dataset.tag === wanted));
    again();
  };
  for (const each of document.querySelectorAll("[data-tag]"))
    each.addEventListener("click", () => speak(each.dataset.tag));
  const take = async (file) => { if (file) { $("proof").value = await file.text(); await check(); } };
  $("file").addEventListener("change", () => take($("file").files[0]));
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files[0]); });
  $("check").addEventListener("click", check);
  speak(tag);
})();
