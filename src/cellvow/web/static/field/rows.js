/** One row of the queue as it is shown: what it is, how it stands, what happened meanwhile, and what can be done. */

/** A sentence with its parameters filled in. */
export function fill(template, parameters) {
  return template.replace(/\{(\w+)\}/g, (_, name) => String(parameters[name]));
}

export function make(tag, text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

export function writeMoment(ms, language) {
  return new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" }).format(ms);
}

/** What became of a row, in sentences: ours in the reader's language, the ledger's rule as it has it. */
function tellAnswer({ fate, was_known: wasKnown, height, time_ms: timeMs, rule }, { said, language }) {
  const parameters = { height: height ?? "", moment: writeMoment(timeMs ?? 0, language) };
  const known = fate === "recorded" && wasKnown ? "known" : fate === "refused" ? "not_included" : fate;
  const told = [make("p", fill(said[`told_${known}`], parameters))];
  if (!rule) return told;
  const line = make("p", `${said.rule} `);
  line.append(make("span", rule, { lang: "en" }));
  return [...told, line];
}

function tellSteps(heading, steps, { said, message, language }) {
  const list = make("ol", "", { class: "steps" });
  for (const { message: type, name, time_ms: timeMs } of steps) {
    const parameters = { what: message[type] ?? type, who: name, moment: writeMoment(timeMs, language) };
    list.append(make("li", fill(said.step, parameters)));
  }
  return [make("p", heading), list];
}

function tellMeanwhile({ since = [], last = [] }, words) {
  if (since.length > 0) return tellSteps(words.said.since, since, words);
  return last.length > 0 ? tellSteps(words.said.last, last, words) : [];
}

function button(text, attributes, act) {
  const made = make("button", text, { type: "button", class: "quiet", ...attributes });
  made.addEventListener("click", act);
  return made;
}

/**
 * @param {object} row @param {object} words @param {{discard: function, anew: function}} acts
 * @returns {Element}
 */
export function showRow(row, words, { discard, anew }) {
  const { said, language } = words;
  const entry = make("li", "", { "data-state": row.state, "data-place": row.place });
  const title = `${said[`kind.${row.kind}`]}: ${row.battery}`;
  const state = make("span", said[`state_${row.state}`], { class: row.state === "recorded" ? "state good" : "state" });
  const made = fill(said.made, { moment: writeMoment(row.madeMs, language) });
  const named = row.state === "waiting" ? make("strong", title) : make("a", title, { href: `/${row.battery}` });
  entry.append(named, " ", state, make("span", made, { class: "by" }));
  if (row.state === "waiting") return entry;
  entry.append(...tellAnswer(row.answer, words), ...tellMeanwhile(row.answer, words));
  const line = make("p", "", { class: "acts" });
  if (row.form) line.append(button(said.anew, { "aria-label": `${said.anew}: ${title}` }, () => anew(row)));
  line.append(button(said.discard, { "aria-label": `${said.discard}: ${title}` }, () => discard(row)));
  entry.append(line);
  return entry;
}
