"use strict";
/*
 * A vendor is of one platform: its autocomplete asks for the vendors of the platform that the form names. Where the platform
 * is fixed the field carries it as data-platform. The server checks again.
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
        if (!asked || asked.field_name !== "vendor") {
            return;
        }
        const platform = platformFor(asked.field_name);
        if (platform) {
            options.url += `${options.url.includes("?") ? "&" : "?"}platform=${encodeURIComponent(platform)}`;
        }
    });

    // Another platform, other vendors: what was chosen before cannot stand.
    $(() => {
        $("#id_platform").on("change", () => $("#id_vendor").val(null).trigger("change"));
    });
}
