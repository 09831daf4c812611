// Date inputs: days in the time zone of the browser, sent to the server as instants.

const twoDigits = (number) => String(number).padStart(2, "0");

function toLocalDay(at) {
  return `${String(at.getFullYear()).padStart(4, "0")}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`;
}

/** Show the instants of date inputs as local days, and send a chosen day as its local midnight. */
export function setUpDateInputs() {
  const showDays = () => {
    for (const input of document.querySelectorAll("input[type=date][data-at]")) {
      const at = new Date(input.dataset.at);
      if (!Number.isNaN(at.getTime())) input.value = toLocalDay(at);
      input.removeAttribute("data-at");
    }
  };
  showDays();
  document.addEventListener("htmx:after:swap", showDays);
  // Native submits and htmx both collect a form's fields through this event.
  document.addEventListener("formdata", (event) => {
    for (const input of event.target.querySelectorAll("input[type=date]")) {
      if (input.value) event.formData.set(input.name, new Date(`${input.value}T00:00`).toISOString());
      else event.formData.delete(input.name);
    }
  }, true);
}
