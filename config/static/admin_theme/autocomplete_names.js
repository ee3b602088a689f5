"use strict";
/* Select2 gives its boxes no name that a screen reader could say: they get that of the field's own label. */
{
    function nameBox(select) {
        const box = select.nextElementSibling?.querySelector(".select2-selection");
        const label = select.labels?.[0];
        if (!box || !label) {
            return;
        }
        label.id ||= `${select.id}_label`;
        const shown = box.querySelector(".select2-selection__rendered");
        box.setAttribute("aria-labelledby", `${label.id} ${shown.id}`);
        shown.setAttribute("aria-labelledby", label.id);
    }

    function nameAll(root) {
        root.querySelectorAll("select.admin-autocomplete").forEach(nameBox);
    }

    // Waits in the same queue as Django's autocomplete.js, and comes after it.
    const $ = window.django?.jQuery;
    $?.(() => {
        nameAll(document);
        $(document).on("select2:open", (event) => {
            const label = event.target.labels?.[0]?.textContent ?? "";
            document.querySelector(".select2-search__field")?.setAttribute("aria-label", label);
            document.querySelector(".select2-results__options")?.setAttribute("aria-label", label);
        });
    });
    document.addEventListener("formset:added", (event) => nameAll(event.target));
}
