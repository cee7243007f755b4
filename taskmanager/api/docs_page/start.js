// A file of its own, because the page's policy allows no inline scripts.
(() => {
  const { api, document: source } = document.currentScript.dataset;
  const KEPT = "taskmanager-login";
  const ETAGS = "taskmanager-etags";
  const element = (id) => document.getElementById(id);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const shade = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  const read = (name, empty) => JSON.parse(sessionStorage.getItem(name) || JSON.stringify(empty));
  const etags = read(ETAGS, {});
  let templates = [];
  let ticket = null;

  // The login lives as long as the tab: sessionStorage is neither shared with other tabs nor kept after it is closed.
  const say = (text) => { element("login-message").textContent = text; };
  const show = (login) => {
    element("login").hidden = Boolean(login);
    element("logged-in").hidden = !login;
    element("login-name").textContent = login ? login.email : "";
  };
  const authorize = (login) => {
    if (login) window.ui.preauthorizeApiKey("bearer", login.token);
    else window.ui.authActions.logout(["bearer"]);
    show(login);
  };
  const post = (path, body, token) => fetch(`${api}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) },
    body: body && JSON.stringify(body),
  });
  const logIn = async (event) => {
    event.preventDefault();
    const { email, password, code } = Object.fromEntries(new FormData(event.target));
    const answer = ticket ? await post("/auth/totp", { ticket, code }) : await post("/auth/login", { email, password });
    const body = await answer.json();
    ticket = body.ticket || (answer.ok ? null : ticket);
    element("login-second").hidden = !ticket;
    if (ticket && answer.ok) return say("Enter the code of your app.");
    if (!answer.ok) return say(body.detail);
    const login = { email, token: body.access_token };
    sessionStorage.setItem(KEPT, JSON.stringify(login));
    event.target.reset();
    say("");
    return authorize(login);
  };
  const logOut = async () => {
    const login = read(KEPT, null);
    sessionStorage.removeItem(KEPT);
    authorize(null);
    if (login) await post("/auth/logout", null, login.token);
  };

  // The item of an address: `/tasks/<id>` of `/tasks/<id>/completion`, because its revision is the task's.
  const itemOf = (url) => {
    const path = new URL(url, location.href).pathname;
    return (/^(.*\/[0-9a-f]{24})(?:\/[a-z-]+)?$/.exec(path) || [null, path])[1];
  };
  const REVISION = /^(?:W\/)?"(\d{1,18}(?:\.[0-9a-f]{16})?)(?:[-:;][a-z]+)?"$/; // the tag of a list is no revision
  const remember = (response) => {
    const tag = REVISION.exec(response.headers.etag || "");
    if (!tag) return;
    const item = itemOf(response.headers.location || response.url);
    etags[item] = `"${tag[1]}"`;
    sessionStorage.setItem(ETAGS, JSON.stringify(etags));
    for (const { path, method, pattern } of templates) {
      if (pattern.test(item)) window.ui.specActions.changeParam([path, method], "If-Match", "header", etags[item], false);
    }
  };
  const findTemplates = () => {
    const paths = window.ui.specSelectors.specJson().get("paths");
    templates = paths.entrySeq().toArray().flatMap(([path, item]) => ["patch", "put", "delete"]
      .filter((method) => item.getIn([method, "parameters"])?.some((one) => one.get("name") === "If-Match"))
      .map((method) => {
        const stem = path.replace(/(\})\/[a-z-]+$/, "$1").replace(/\{[^}]*\}/g, "[0-9a-f]{24}");
        return { path, method, pattern: new RegExp(`${stem}$`) };
      }));
  };

  // Swagger UI has landmarks for the operations alone.
  const LANDMARKS = { "information-container": "Introduction", "scheme-container": "Server and login", "filter": "Filter" };
  const nameLandmarks = () => {
    for (const [name, label] of Object.entries(LANDMARKS)) {
      const part = document.querySelector(`.${name}`);
      part?.setAttribute("role", "region");
      part?.setAttribute("aria-label", label);
    }
  };

  window.ui = SwaggerUIBundle({
    url: source,
    dom_id: "#swagger-ui",
    docExpansion: "none", // a list of tags: there are more operations than anybody would scroll through
    defaultModelsExpandDepth: -1,
    deepLinking: true,
    filter: true,
    persistAuthorization: false,
    tryItOutEnabled: true,
    requestSnippetsEnabled: true,
    syntaxHighlight: { activated: false }, // it takes as long as all the rest of an operation
    validatorUrl: null,
    requestInterceptor: (request) => {
      const sent = request.headers && request.headers["If-Match"];
      const known = etags[itemOf(request.url)];
      if (sent && known && (sent === '"1"' || Object.values(etags).includes(sent))) request.headers["If-Match"] = known;
      return request;
    },
    responseInterceptor: (response) => {
      if (response.url && response.url.includes("/api/v1/")) remember(response);
      if (response.status === 401 && read(KEPT, null)) say("The login has ended: log out, and log in again.");
      return response;
    },
    onComplete: () => {
      findTemplates();
      document.getElementById("servers")?.setAttribute("aria-label", "Server"); // Swagger UI has no label for it
      nameLandmarks();
      const login = read(KEPT, null);
      if (login) authorize(login);
    },
  });
  element("login").addEventListener("submit", logIn);
  element("logout").addEventListener("click", logOut);
  dark.addEventListener("change", shade);
  shade();
  show(read(KEPT, null));
})();
