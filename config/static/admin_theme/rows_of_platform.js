"use strict";
/*
 * What a row points at is of the row's platform: autocompletes ask for the rows of the platform that the form names. Where
 * the platform is fixed the field carries it as data-platform. The server checks again.
 */
{
    const $ = django.jQuery;

    function platformFor(fieldName) {
        const field = document.getElementById(`id_${fieldName}`);
        const platform = document.getElementById("id_platform");
        return field?.dataset.platform || platform?.value || "";
    }

    $.ajaxPrefilter((options, original) => {
        const asked = original.data;
        if (!asked || !asked.field_name || asked.field_name === "platform") {
            return;
        }
        const platform = platformFor(asked.field_name);
        if (platform) {
            options.url += `${options.url.includes("?") ? "&" : "?"}platform=${encodeURIComponent(platform)}`;
        }
    });

    // Another platform, other rows: what was chosen before cannot stand. People are of no platform. Django tells of a
    // change when the page is loaded, too, where nothing has changed.
    $(() => {
        let chosen = $("#id_platform").val();
        $("#id_platform").on("change", (event) => {
            if (event.target.value !== chosen) {
                chosen = event.target.value;
                $("select.admin-autocomplete").not("#id_platform, #id_user").val(null).trigger("change");
            }
        });
    });
}
