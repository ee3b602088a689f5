"use strict";
/*
 * Passkeys: a form with data-passkey asks the browser before it is sent, and sends what the browser answers as its field
 * `credential`. data-options holds what the server asks for; `login` fetches it, as it is another one each time.
 * webauthn-json.js, which comes with allauth, turns the bytes into JSON and back.
 */
{
    const REFUSED = "The browser gave no passkey. Try again, or use another way.";
    const NO_NAME = "Passkeys need the site’s name in the address, over https: a number will not do.";

    async function optionsFor(form) {
        if (form.dataset.passkey !== "login") {
            return JSON.parse(form.dataset.options);
        }
        const answer = await fetch(form.action, {headers: {Accept: "application/json"}});
        if (!answer.ok) {
            throw new Error(answer.status === 429 ? "Too many attempts. Wait a minute." : REFUSED);
        }
        return (await answer.json()).request_options;
    }

    async function credentialFor(form) {
        const options = await optionsFor(form);
        if (form.dataset.passkey !== "create") {
            return webauthnJSON.get(options);
        }
        // So that it can be used without a username, too.
        Object.assign(options.publicKey.authenticatorSelection, {residentKey: "required", requireResidentKey: true});
        return webauthnJSON.create(options);
    }

    function wordsFor(error) {
        return {NotAllowedError: REFUSED, InvalidStateError: "This device keeps a passkey of yours already.", SecurityError: NO_NAME}[error.name] || error.message;
    }

    for (const form of document.querySelectorAll("form[data-passkey]")) {
        const alert = form.querySelector("[role=alert][hidden]");
        if (!webauthnJSON.supported()) {
            if (form.dataset.passkey !== "login") {
                form.hidden = false;
                alert.textContent = NO_NAME;
                alert.hidden = false;
                form.querySelector("[type=submit]").disabled = true;
            }
            continue;
        }
        form.hidden = false;
        form.addEventListener("submit", async (event) => {
            event.preventDefault();
            alert.hidden = true;
            try {
                form.elements.credential.value = JSON.stringify(await credentialFor(form));
            } catch (error) {
                alert.textContent = wordsFor(error);
                alert.hidden = false;
                return;
            }
            form.submit();
        });
    }
}
