// Shows /openapi.json. A file of its own, since the page's policy allows no script inside the page.
"use strict";

window.SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#viewer",
    deepLinking: true,
    displayOperationId: true,
    displayRequestDuration: true,
    defaultModelsExpandDepth: 0,
    // A pasted token is gone with the page: it is kept nowhere.
    persistAuthorization: false,
    // Nothing of a call or of the document goes anywhere but to this service.
    queryConfigEnabled: false,
    validatorUrl: null,
});
