//! What clickmaps are asked for.

use domain::clickmap::DeviceType;

use super::names::shortened;
use crate::errors::ApiError;
use crate::proto::v1;

/// The types of device of a request, none of them twice.
pub(crate) fn check_devices(devices: &[i32]) -> Result<Vec<DeviceType>, ApiError> {
    let mut checked = Vec::new();
    for (index, number) in devices.iter().enumerate() {
        let device = match v1::DeviceType::try_from(*number) {
            Ok(v1::DeviceType::Desktop) => DeviceType::Desktop,
            Ok(v1::DeviceType::Mobile) => DeviceType::Mobile,
            Ok(v1::DeviceType::Tablet) => DeviceType::Tablet,
            Ok(v1::DeviceType::Other) => DeviceType::Other,
            Ok(v1::DeviceType::Unspecified) | Err(_) => {
                return Err(ApiError::field(
                    format!("device_types[{index}]"),
                    format!(
                        "is {number}, which names no type of device: write 1 (desktop), 2 (mobile), 3 (tablet) or 4 (other)"
                    ),
                ));
            }
        };
        if !checked.contains(&device) {
            checked.push(device);
        }
    }
    Ok(checked)
}

/// A page's template or path.
pub(crate) fn check_page(page: &str) -> Result<&str, ApiError> {
    if page.starts_with('/') {
        return Ok(page);
    }
    Err(ApiError::field(
        "page",
        format!(
            "is {:?}, which does not begin with a slash: write a page as ListClickmapPages answers it, such as /products/*, or a path",
            shortened(page)
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_of_device_that_the_api_has_not_is_refused_by_its_place() {
        assert_eq!(
            check_devices(&[2, 1, 2]),
            Ok(vec![DeviceType::Mobile, DeviceType::Desktop])
        );
        for bad in [0, 5, -1] {
            let error = check_devices(&[1, bad]).unwrap_err().to_string();
            assert!(error.starts_with("device_types[1] is "), "{error}");
        }
    }

    #[test]
    fn a_page_begins_with_a_slash() {
        assert_eq!(check_page("/products/*"), Ok("/products/*"));
        for bad in ["", "products/*", "https://shop.example/"] {
            assert!(check_page(bad).is_err(), "{bad}");
        }
    }
}
