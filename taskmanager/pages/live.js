// A live page: it follows the stream of its project, and is fetched again when something on it has changed. Without
// this script the page works as all others. A file of its own, because the policy of pages allows no inline scripts.
(() => {
  const SILENT_MS = 40000; // the stream sends something every 15 seconds
  const PAUSE_MS = 1000; // at least, between two times that the page is fetched
  const OPERATORS_PAUSE_MS = 3000; // as PAUSE_MS, on a page for operators, where all that happens is new
  const MAX_WAIT_MS = 15000; // at most, between two tries to connect
  const OWN_MS = 10000; // at most, that a change waits for the answer to one of this page, which may be that change
  const connection = document.getElementById("connection");
  let main = document.querySelector("main");
  let last = Number(main.dataset.position);
  let source = null;
  let attempt = 0; // what is awaited for an earlier attempt to connect must not end the present one
  let wait = PAUSE_MS;
  let retry = 0;
  let watchdog = 0;
  let refreshing = 0;
  let due = 0;
  let fetched = 0;
  let begun = 0; // requests for the page, and which of them is shown: an earlier one must not replace a later one
  let present = 0;
  let owed = false; // a fetch that was due while the page was hidden
  let answered = null; // settled when what this page has sent is answered, and shown

  const say = (name) => {
    connection.textContent = main.dataset[name] || "";
    connection.classList.toggle("lost", name !== "connected");
  };

  // The connection

  const close = () => {
    attempt += 1;
    clearTimeout(retry);
    clearTimeout(watchdog);
    if (source) source.close();
    source = null;
  };
  const lost = (seconds = 0) => {
    close();
    say("lost");
    if (document.hidden) return; // until it is looked at again
    if (main.dataset.watch) refreshSoon(); // operators look while something is broken, perhaps the stream
    retry = setTimeout(connect, Math.max(wait * (0.5 + Math.random() / 2), seconds * 1000));
    wait = Math.min(wait * 2, MAX_WAIT_MS);
  };
  const heard = () => {
    clearTimeout(watchdog);
    watchdog = setTimeout(lost, SILENT_MS);
  };
  const leave = () => location.assign(main.dataset.page); // the login has ended: to the page that says so
  const connect = async () => {
    close();
    if (!main.dataset.position) return;
    const own = attempt;
    const body = new URLSearchParams({ form_token: main.dataset.token });
    const headers = { Accept: "application/json" };
    const options = { method: "POST", body, headers, redirect: "manual" };
    const answer = await fetch(main.dataset.tickets, options).catch(() => null);
    if (own !== attempt) return;
    if (answer && answer.type === "opaqueredirect") return leave();
    if (answer && answer.status === 403) refreshAfter(0); // another login of this browser has another token of forms
    if (!answer || !answer.ok) return lost(Number(answer && answer.headers.get("Retry-After")) || 0);
    const { url } = await answer.json().catch(() => ({}));
    if (own !== attempt) return;
    const { project, types, watch } = main.dataset;
    const wanted = watch ? { watch } : { project_id: project, types };
    open(`${url}&${new URLSearchParams({ ...wanted, last_event_id: last, heartbeat: "event" })}`);
  };
  const open = (url) => {
    let opened = false;
    source = new EventSource(url);
    source.onopen = () => {
      opened = true;
      wait = PAUSE_MS;
      heard();
      say("connected");
    };
    source.onerror = () => { // a ticket opens one stream: the browser must not try it again
      lost();
      if (!opened) refreshAfter(PAUSE_MS); // the position may be too old, or the project be gone: the page says so
    };
    source.addEventListener("heartbeat", () => {
      heard();
      if (main.dataset.watch) refreshSoon(); // what changes without an event, such as a worker that has died
    });
    source.addEventListener("moved", (event) => {
      heard();
      last = Math.max(last, Number(event.lastEventId));
      refreshSoon();
    });
    source.addEventListener("end", leave);
    source.addEventListener("changes", async (event) => {
      heard();
      last = Math.max(last, Number(event.lastEventId));
      const own = answered; // the stream may be quicker than the answer
      if (own) await Promise.race([own, new Promise((go) => setTimeout(go, OWN_MS))]);
      if (isNew(JSON.parse(event.data))) refreshSoon();
    });
  };

  // What has changed

  const shown = (type, id) => main.querySelector(`[data-object="${type}/${id}"]`);
  const isNewObject = (type, object) => {
    if (type === "members") return object.user_id === main.dataset.user && object.role !== main.dataset.role;
    const present = shown(type, object.id || object.project_id);
    if (present) return object.revision > Number(present.dataset.revision); // else it is what this page has done
    return type === main.dataset.adds && (!main.dataset.task || object.task_id === main.dataset.task);
  };
  const isNew = ({ objects, tombstones }) =>
    Object.entries(objects).some(([type, found]) => found.some((object) => isNewObject(type, object))) ||
    tombstones.some(({ type, id }) => type === "projects" || shown(type, id));

  // The page

  const refreshAfter = (milliseconds) => {
    const at = performance.now() + milliseconds;
    if (refreshing && due <= at) return;
    clearTimeout(refreshing);
    [refreshing, due] = [setTimeout(refresh, milliseconds), at];
  };
  const refreshSoon = () => {
    const pause = main.dataset.watch ? OPERATORS_PAUSE_MS : PAUSE_MS;
    refreshAfter(Math.max(0, fetched + pause - performance.now()));
  };
  const refresh = async () => {
    clearTimeout(refreshing);
    refreshing = 0;
    owed = document.hidden;
    if (owed) return;
    if (main.contains(document.activeElement) && document.activeElement.matches("input, select")) {
      return refreshAfter(OPERATORS_PAUSE_MS); // what is being typed is not lost
    }
    fetched = performance.now();
    const own = (begun += 1);
    const options = { headers: { Accept: "text/html" }, redirect: "manual", cache: "no-store" };
    const answer = await fetch(main.dataset.page, options).catch(() => null);
    if (answer && answer.type === "opaqueredirect") return leave();
    const fresh = answer && answer.status !== 429 && answer.status < 500 && (await pageOf(answer));
    const seconds = Number(answer && answer.headers.get("Retry-After")) || 0;
    if (!fresh) return refreshAfter(Math.max(MAX_WAIT_MS * (0.5 + Math.random() / 2), seconds * 1000));
    if (own > present) replace(fresh, false, own);
  };
  const pageOf = async (answer) => { // null for what is no page, such as a problem of the gateway
    const html = await answer.text().catch(() => "");
    const page = new DOMParser().parseFromString(html, "text/html");
    return page.querySelector("main") && page;
  };
  const replace = (fresh, isOwn, number) => {
    present = number;
    const [next, problem] = [fresh.querySelector("main"), main.querySelector(".problem")];
    if (!isOwn && problem && !next.querySelector(".problem")) next.querySelector("h1").after(problem); // is being read
    const [focused, board] = [document.activeElement, main.querySelector(".board")];
    const [id, card, left] = [focused && focused.id, focused && focused.closest(".card"), board && board.scrollLeft];
    document.title = fresh.title;
    main.replaceWith(next);
    main = next;
    if (left) main.querySelector(".board").scrollLeft = left;
    const again = (id && document.getElementById(id)) || (card && document.querySelector(`#${card.id} a`));
    if (again && again !== document.activeElement) again.focus({ preventScroll: !isOwn });
    if (main.dataset.position) last = Math.max(last, Number(main.dataset.position));
    else stop(); // it is a page about an error: the project is not visible any more
  };
  const stop = () => {
    close();
    connection.textContent = "";
  };
  const submitted = (event) => {
    if (!main.contains(event.target) || main.dataset.watch) return;
    event.preventDefault();
    const sent = send(event.target, event.submitter);
    answered = sent;
    sent.finally(() => answered === sent && (answered = null));
  };
  const send = async (form, submitter) => {
    const body = new URLSearchParams(new FormData(form, submitter));
    const own = (begun += 1);
    const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer) return say("unsent");
    if (answer.redirected && new URL(answer.url).pathname !== main.dataset.page) return leave();
    fetched = performance.now();
    const fresh = await pageOf(answer);
    if (fresh && fresh.querySelector("main").dataset.position && own > present) return replace(fresh, true, own);
    if (!fresh || !answer.ok) say("unsent"); // refused: the page stays, and is fetched for a new token of forms
    refreshAfter(0);
  };

  // A hidden page has no stream: a browser has few connections, and an account has few streams.
  const look = () => {
    if (document.hidden) return close();
    if (owed) refreshAfter(0);
    if (!navigator.onLine) lost();
    else if (!source) connect();
  };
  document.addEventListener("submit", submitted);
  document.addEventListener("visibilitychange", look);
  addEventListener("online", look);
  addEventListener("offline", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", look);
})();
