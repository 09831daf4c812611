// A day begins at the reader's midnight: days chosen in a form are sent as instants.

const two = (number) => String(number).padStart(2, "0");

function localDay(at) {
  return `${String(at.getFullYear()).padStart(4, "0")}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}

/** Show the bounds of each form as the reader's days and send them as instants. */
export function boundByDays() {
  const showDays = () => {
    for (const input of document.querySelectorAll("input[type=date][data-at]")) {
      const at = new Date(input.dataset.at);
      if (!Number.isNaN(at.getTime())) input.value = localDay(at);
      input.removeAttribute("data-at");
    }
  };
  showDays();
  document.addEventListener("htmx:after:swap", showDays);
  // Native submits and htmx both gather a form's fields through this event.
  document.addEventListener("formdata", (event) => {
    for (const input of event.target.querySelectorAll("input[type=date]")) {
      if (input.value) event.formData.set(input.name, new Date(`${input.value}T00:00`).toISOString());
      else event.formData.delete(input.name);
    }
  }, true);
}
