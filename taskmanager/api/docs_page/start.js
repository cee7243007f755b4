// A file of its own, because the page's policy allows no inline scripts.
window.ui = SwaggerUIBundle({
  url: new URL("../../../api/v1/openapi.json", document.currentScript.src).href, // the service may be below a path
  dom_id: "#swagger-ui",
  docExpansion: "none", // a list of tags: there are more operations than anybody would scroll through
  deepLinking: true,
  persistAuthorization: false,
  tryItOutEnabled: true,
  requestSnippetsEnabled: true,
  validatorUrl: null,
});
