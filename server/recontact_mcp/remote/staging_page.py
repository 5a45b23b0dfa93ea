"""The page where a person drops a file, or sees what became of it.

The secret of its address never leaves the browser but in a header.
"""

from typing import TYPE_CHECKING, Final

from recontact_mcp.remote.approval.place import STATUS_PATH
from recontact_mcp.remote.pages import Html, html, page

if TYPE_CHECKING:
    from starlette.responses import HTMLResponse

    from recontact_mcp.settings import Settings

_BODY: Final = """
<noscript><p role="alert">This page needs JavaScript. In a terminal, the curl line that your assistant shows does the
same.</p></noscript>
<form id="form" data-max="{most}">
<p>Choose the CSV or TXT file with the respondent identifiers, one a line or in a column of its own.
It is checked here and kept encrypted until your assistant has used it, or for some minutes.</p>
<div class="panel" id="zone">
<label for="file">File with identifiers</label>
<input type="file" id="file" accept=".csv,.txt,.tsv,text/csv,text/plain" aria-describedby="hint">
<p class="hint" id="hint">Or drop it anywhere in this box. At most {shown} bytes.</p>
</div>
<button id="send" disabled>Upload</button>
</form>
<p><progress id="progress" max="100" value="0" aria-label="Upload" hidden></progress></p>
<p id="status" role="status"></p>
<p id="next" hidden>{next}</p>
<div id="alert" role="alert" hidden></div>
"""

_SCRIPT: Final = """
"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const form = at("form"), zone = at("zone"), input = at("file"), send = at("send");
  const progress = at("progress"), status = at("status"), alert = at("alert"), next = at("next");
  const secret = location.hash.slice(1), most = Number(form.dataset.max);
  let chosen = null, finished = false;

  const say = (text) => { alert.hidden = true; status.textContent = text; };
  const complain = (text) => { status.textContent = ""; alert.textContent = text; alert.hidden = false; };
  const counted = (bytes) => bytes.toLocaleString("en") + (bytes === 1 ? " byte" : " bytes");

  const choose = (file) => {
    if (finished || input.disabled) return;
    chosen = null;
    send.disabled = true;
    if (!file) { say(""); return; }
    if (file.size > most) { complain(`This file has ${counted(file.size)}; at most ${counted(most)} can be sent. `
      + "Keep only the column of identifiers, or split it."); return; }
    if (file.size === 0) { complain("This file is empty."); return; }
    chosen = file;
    send.disabled = false;
    say(`${file.name}, ${counted(file.size)}, is ready to be sent.`);
  };

  const ended = (request) => {
    progress.hidden = true;
    let answer = null;
    try { answer = JSON.parse(request.responseText); } catch { /* not ours */ }
    if (!answer || typeof answer.message !== "string") {
      complain("The server did not answer as expected. Nothing may have been kept: try again.");
    } else if (answer.ok) {
      finished = true;
      input.disabled = true;
      say(`${answer.message} For example: \u201cI have uploaded ${chosen.name}.\u201d`);
      next.hidden = false;
      return;
    } else {
      complain(answer.message);
    }
    input.disabled = false;
    send.disabled = request.status === 404;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!chosen || send.disabled) return;
    const request = new XMLHttpRequest();
    request.open("PUT", location.pathname);
    request.setRequestHeader("Recontact-Upload", secret);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "text/csv");
    request.upload.addEventListener("progress", (sent) => {
      if (sent.lengthComputable) progress.value = Math.round(100 * sent.loaded / sent.total);
    });
    request.addEventListener("load", () => ended(request));
    request.addEventListener("error", () => {
      progress.hidden = true;
      input.disabled = send.disabled = false;
      complain("The file could not be sent, or the server refused it before its end. Check it, and try again.");
    });
    progress.value = 0;
    progress.hidden = false;
    input.disabled = send.disabled = true;
    say("The file is being sent and checked.");
    request.send(chosen);
  });

  input.addEventListener("change", () => choose(input.files[0]));
  zone.addEventListener("dragover", (event) => { event.preventDefault(); });
  document.addEventListener("drop", (event) => event.preventDefault());
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length > 1) { choose(null); complain("Send one file at a time."); return; }
    if (!input.disabled) input.files = event.dataTransfer.files;
    choose(event.dataTransfer.files[0]);
  });
  // Whoever comes back is told what became of the file, and shown no form that can only fail.
  const looked = (found, answer) => {
    if (!answer || answer.state === "waiting" || input.disabled) return;
    finished = true;
    form.hidden = true;
    if (found && answer.state !== "expired" && answer.state !== "unused") {
      say(answer.message);
      next.hidden = false;
    } else {
      complain(answer.message);
    }
  };
  const look = async () => {
    const headers = { "Recontact-Upload": secret, Accept: "application/json" };
    try {
      const answer = await fetch(location.pathname, { headers, cache: "no-store" });
      if (answer.ok || answer.status === 404) looked(answer.ok, await answer.json());
    } catch { /* sending a file tells */ }
  };

  // The address of another file differs behind the # alone: a browser that goes there keeps the page, and what it says.
  addEventListener("hashchange", () => location.reload());

  if (secret) {
    look();
  } else {
    form.hidden = true;
    complain("This address is not complete. Copy all of it from your assistant, or ask for a new one.");
  }
})();
"""


_SIGNED_IN: Final = Html(f'<a href="{STATUS_PATH}">See how it goes</a>')
_BY_LINK: Final = Html("On a terminal of this machine, <code>recontact-mcp jobs</code> shows how it goes.")
_BY_ASSISTANT: Final = Html("Your assistant can tell you how it goes.")


def staging_page(settings: "Settings") -> "HTMLResponse":
    """Return the page; it is the same for everybody, for whose file it takes stands behind the # of its address."""
    most = settings.staged_bytes
    body = html(_BODY, most=most, shown=f"{most:,}", next=_next(settings))
    return page("Upload a file", body, script=_SCRIPT)


def _next(settings: "Settings") -> Html:
    """Say where to look afterwards: no page that nobody who comes from here is let in to."""
    if settings.auth_issuer is None:
        return _BY_LINK
    return _BY_ASSISTANT if settings.approval_client_id is None else _SIGNED_IN
